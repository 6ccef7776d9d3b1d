import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { fromWireError } from '../../../helpers/errors/wire-error.js'
import type { Clock } from '../../clock/clock.js'
import { engineEnvironment } from '../../process/child-environment.js'
import { type ChildProcess, eachLogLine, type Fork } from '../../process/child-process.js'
import type { GenerateRequest } from '../engine.js'
import { ChildHeartbeat } from './child-heartbeat.js'
import { CrashAttribution, FATAL_SIGNALS, type JsonSchema } from './crash-attribution.js'
import {
  callSchema,
  type EngineCall,
  type EngineCallResult,
  type EngineProgress,
  type FromChild,
  fromChildSchema,
  generateMessageSchema,
  type PrepareMessage,
  prepareMessageSchema,
  type ToChild,
} from './llama-messages.js'
import { PendingCalls, TokenQueue } from './pending-requests.js'
import { StepRecord } from './step-record.js'
import { isTokensMessage } from './tokens-check.js'

const CHILD_PATH = fileURLToPath(new URL('./child/llama-child.js', import.meta.url))

/** The child belongs to this worker, so paths in its errors must not be sent to other workers. */
const OWN = { isFromPeer: false }

/** How long the child may take to exit after it was asked to. */
const CLOSE_TIMEOUT_MS = 2_000

/** What the child knows once the model is loaded. */
export type LoadedModel = Omit<Extract<FromChild, { kind: 'loaded' }>, 'kind'>

export interface LlamaProcessOptions {
  /** The program that runs the model. Default: the one with llama.cpp. */
  readonly childPath?: string | undefined
  /** Starts the child. Default: `fork` of node:child_process. */
  readonly fork?: Fork
  readonly clock: Clock
  /** Called with each line that the child writes, shortened. */
  readonly onLog: (line: string) => void
  readonly onProgress: (progress: EngineProgress) => void
  /** Called with a JSON schema that made the child hang or end. */
  readonly onStuckSchema: (schema: JsonSchema) => void
  /** Called once if the child has ended without being asked to. */
  readonly onCrash: (error: StarlingError) => void
}

/** A caller that waits for the model to be prepared or loaded. */
interface Waiter<Result> {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** The engine's child process, from its start to its end. */
export class LlamaProcess {
  readonly #child: ChildProcess
  readonly #options: LlamaProcessOptions
  readonly #queues = new Map<number, TokenQueue>()
  readonly #calls = new PendingCalls()
  readonly #record = new StepRecord()
  readonly #suspects = new CrashAttribution(() => this.#record.read())
  readonly #heartbeat: ChildHeartbeat
  readonly #exited: Promise<void>
  #nextId = 0
  #preparing: Waiter<number> | null = null
  #loading: Waiter<LoadedModel> | null = null
  /** Why it accepts no further requests. */
  #failure: StarlingError | null = null
  #closing = false
  /** Why the child was killed. */
  #hang: string | null = null

  constructor(options: LlamaProcessOptions) {
    this.#options = options
    const start: Fork = options.fork ?? fork
    this.#child = start(options.childPath ?? CHILD_PATH, [], {
      // Its standard output is read here and not inherited, because native code may print anything.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', this.#record.fd ?? 'ignore'],
      // A group of its own: Ctrl-C at the terminal is for the worker, which ends the engine itself.
      detached: true,
      // The debugger port of the parent is already in use.
      execArgv: [],
      // GGML_NO_BACKTRACE: otherwise an abort starts a debugger first, if one is installed.
      env: { ...engineEnvironment(process.env), GGML_NO_BACKTRACE: '1' },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) eachLogLine(stream, options.onLog)
    }
    this.#child.on('message', (message) => this.#receive(message))
    this.#heartbeat = new ChildHeartbeat({
      clock: options.clock,
      ping: () => this.#send({ kind: 'ping' }),
      blocking: () => this.#record.read()?.request ?? null,
      onHang: (reason, requests) => {
        options.onLog(`the engine's process hangs: ${reason}`)
        this.#suspects.overdue(requests, reason)
        this.#hang = reason
        this.#child.kill('SIGKILL')
      },
    })
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#end(code, signal)
        resolve()
      })
      this.#child.once('error', (error) => {
        // Also emitted when a message cannot be delivered; then 'exit' is on its way.
        if (this.#child.pid !== undefined) return
        this.#end(null, error.message)
        resolve()
      })
    })
  }

  /** The child's process id; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * Prepares the model. Call it only once.
   *
   * @returns the estimated memory that it takes once it is loaded, in bytes
   * @throws StarlingError what the child failed with; MODEL_INVALID if it ended the process,
   *   CONFIG_INVALID if the message exceeds a limit
   */
  async prepare(message: PrepareMessage): Promise<number> {
    if (this.#failure !== null) throw this.#failure
    const parsed = prepareMessageSchema.safeParse(message)
    if (!parsed.success) {
      throw new StarlingError(
        'CONFIG_INVALID',
        `The settings of the engine are invalid: ${z.prettifyError(parsed.error)}`,
        { cause: parsed.error },
      )
    }
    return await new Promise<number>((resolve, reject) => {
      this.#preparing = { resolve, reject }
      this.#send(parsed.data)
    })
  }

  /**
   * Loads the prepared model. Call it only once.
   *
   * @throws StarlingError what the child failed with; MODEL_INVALID if it ended the process
   */
  async load(): Promise<LoadedModel> {
    if (this.#failure !== null) throw this.#failure
    return await new Promise<LoadedModel>((resolve, reject) => {
      this.#loading = { resolve, reject }
      this.#send({ kind: 'load' })
    })
  }

  /**
   * Starts a generation, which may send `credit` tokens before it is granted more. Its queue fails with
   * INVALID_REQUEST if the request exceeds a limit.
   */
  open(
    { messages, options, resumeFrom }: GenerateRequest,
    credit: number,
  ): { readonly id: number; readonly queue: TokenQueue } {
    const id = this.#nextId++
    const queue = new TokenQueue()
    // Checked here, because an unknown message ends the child with all its answers.
    const parsed = generateMessageSchema.safeParse({
      kind: 'generate',
      id,
      messages,
      options,
      resumeFrom,
      credit,
    })
    if (this.#failure !== null) {
      queue.fail(this.#failure)
    } else if (!parsed.success) {
      queue.fail(invalidRequest(parsed.error))
    } else {
      this.#queues.set(id, queue)
      this.#suspects.began(id, parsed.data.options.jsonSchema)
      this.#send(parsed.data)
    }
    return { id, queue }
  }

  /** Lets a generation send more tokens. */
  grant(id: number, tokens: number): void {
    if (this.#queues.has(id)) this.#send({ kind: 'credit', id, tokens })
  }

  /** Limits the threads that the model computes with. */
  limitThreads(maxThreads: number): void {
    this.#send({ kind: 'threads', maxThreads })
  }

  /** Cancels a generation; does nothing if it has ended. */
  cancel(id: number): void {
    if (this.#queues.delete(id)) this.#cancel(id)
  }

  /**
   * Requests a single result.
   *
   * @throws StarlingError what the child failed with, INVALID_REQUEST if the call exceeds a limit, the
   *   signal's reason as soon as it is aborted
   */
  async call(call: EngineCall, signal?: AbortSignal): Promise<EngineCallResult> {
    const parsed = callSchema.safeParse(call)
    if (!parsed.success) throw invalidRequest(parsed.error)
    if (this.#failure !== null) throw this.#failure
    signal?.throwIfAborted()
    const id = this.#nextId++
    this.#send({ kind: 'call', id, call: parsed.data })
    return await this.#calls.result(id, signal, () => this.#cancel(id))
  }

  /** Ends all generations with DRAINING, then the child: it is asked to exit first, then killed. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#fail(new StarlingError('DRAINING', 'The engine is closed'))
      this.#send({ kind: 'close' })
    }
    const timer = this.#options.clock.schedule(CLOSE_TIMEOUT_MS, () => this.#child.kill('SIGKILL'))
    await this.#exited
    timer.cancel()
  }

  #receive(raw: unknown): void {
    // Most messages contain tokens.
    const message = isTokensMessage(raw) ? raw : this.#checked(raw)
    if (message === null) return
    switch (message.kind) {
      case 'progress':
        this.#options.onProgress(message.progress)
        return
      case 'loaded': {
        const { kind: _, ...loaded } = message
        this.#heartbeat.measured(loaded.tokenMs)
        this.#loading?.resolve(loaded)
        this.#loading = null
        return
      }
      case 'load-failed':
        this.#failLoad(fromWireError(message.error, OWN))
        return
      case 'prepared':
        this.#preparing?.resolve(message.memoryBytes)
        this.#preparing = null
        return
      case 'tokens':
        for (const { id, token } of message.tokens) this.#queues.get(id)?.put(token)
        return
      case 'end':
        this.#queues.get(message.id)?.put({ end: message.end })
        this.#forget(message.id)
        return
      case 'result':
        this.#calls.resolve(message.id, message.result)
        return
      case 'failed':
        this.#queues.get(message.id)?.fail(fromWireError(message.error, OWN))
        this.#forget(message.id)
        this.#calls.fail(message.id, fromWireError(message.error, OWN))
        return
      case 'cancelled':
        this.#heartbeat.stopped(message.id)
        this.#forget(message.id)
        return
      case 'pong':
        this.#heartbeat.answered(message.work)
    }
  }

  /** A message of the child; null, and the child is ended, if it is invalid. */
  #checked(raw: unknown): FromChild | null {
    const parsed = fromChildSchema.safeParse(raw)
    if (parsed.success) return parsed.data
    // A child that violates the protocol may also give wrong answers.
    this.#options.onLog(`invalid message from the engine's process: ${parsed.error.message}`)
    this.#child.kill('SIGKILL')
    return null
  }

  /** The child has finished a request. */
  #forget(id: number): void {
    this.#queues.delete(id)
    this.#suspects.ended(id)
  }

  #cancel(id: number): void {
    this.#heartbeat.cancelled(id)
    this.#send({ kind: 'cancel', id })
  }

  #send(message: ToChild): void {
    if (!this.#child.connected) return
    this.#child.send(message, () => {
      // A failure means that the child has ended, which 'exit' handles.
    })
  }

  #end(code: number | null, reason: string | null): void {
    this.#heartbeat.end()
    const how = this.#hang ?? reason ?? `exit code ${code}`
    // The file is checked before it is loaded, so llama.cpp hangs while it loads the file.
    const isInvalid = FATAL_SIGNALS.includes(reason)
      ? this.#preparing !== null || this.#loading !== null
      : this.#loading !== null && this.#hang !== null
    const error = isInvalid
      ? new StarlingError('MODEL_INVALID', `Loading the model ended the engine's process (${how})`)
      : new StarlingError('ENGINE_CRASHED', `The engine's process ended unexpectedly (${how})`)
    for (const [id, cause] of this.#suspects.errors(reason)) {
      this.#queues.get(id)?.fail(cause)
      this.#calls.fail(id, cause)
    }
    for (const schema of this.#suspects.schemas()) this.#options.onStuckSchema(schema)
    this.#record.close()
    this.#fail(error)
    if (!this.#closing) this.#options.onCrash(error)
  }

  #failLoad(error: StarlingError): void {
    this.#preparing?.reject(error)
    this.#preparing = null
    this.#loading?.reject(error)
    this.#loading = null
  }

  #fail(error: StarlingError): void {
    this.#failure ??= error
    this.#failLoad(error)
    for (const queue of this.#queues.values()) queue.fail(error)
    this.#queues.clear()
    this.#calls.failAll(error)
  }
}

function invalidRequest(error: z.ZodError): StarlingError {
  const reason = z.prettifyError(error)
  return new StarlingError('INVALID_REQUEST', `Invalid request to the engine: ${reason}`)
}
