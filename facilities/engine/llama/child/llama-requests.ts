import { isStarlingError, StarlingError } from '../../../../helpers/errors/starling-error.js'
import { toWireError } from '../../../../helpers/errors/wire-error.js'
import { encodeVector } from '../../../../helpers/generation/vectors.js'
import { SendCredit } from '../../../../helpers/limits/credit.js'
import { unlessAborted } from '../../../clock/bounded-wait.js'
import type { Clock } from '../../../clock/clock.js'
import type { GenerateRequest } from '../../engine.js'
import type { EngineCall, EngineCallResult, FromChild, GenerateMessage } from '../llama-messages.js'
import type { Choice, WorkReport } from '../overdue-work.js'
import type { BlockingStep, RequestWatch } from '../request-watch.js'
import type { StepRecorder } from '../step-record.js'
import type { LlamaRuntime } from './llama-runtime.js'
import { TokenGatherer } from './token-gatherer.js'

/** The operations of a request. */
export type RequestRuntime = Pick<
  LlamaRuntime,
  'generate' | 'tokenize' | 'detokenize' | 'applyTemplate' | 'embed' | 'progress'
>

/** A request in progress. */
interface RunningRequest {
  readonly cancel: AbortController
  readonly ended: Promise<void>
  /** The credit of an answer. */
  readonly credit?: SendCredit
}

/**
 * The child's side of the requests: runs each, sends its tokens within its credit, and stops it when it
 * is cancelled.
 */
export class LlamaRequests {
  readonly #running = new Map<number, RunningRequest>()
  readonly #runtime: RequestRuntime
  readonly #send: (message: FromChild) => void
  readonly #steps: Pick<StepRecorder, 'write'>
  readonly #gatherer: TokenGatherer
  /** Tokens that are being chosen with grammars, in the order in which that began. */
  readonly #choosing = new Map<number, Choice>()

  /**
   * @param options.steps records what blocks the process
   * @param options.gatherMs how long tokens may wait for others: see {@link TokenGatherer}
   */
  constructor(
    runtime: RequestRuntime,
    send: (message: FromChild) => void,
    options: { clock: Clock; steps: Pick<StepRecorder, 'write'>; gatherMs: number },
  ) {
    this.#runtime = runtime
    this.#send = send
    this.#steps = options.steps
    this.#gatherer = new TokenGatherer({
      clock: options.clock,
      gatherMs: options.gatherMs,
      send: (tokens) => send({ kind: 'tokens', tokens }),
    })
  }

  /** The work in progress for all of them. */
  get work(): WorkReport {
    return { ...this.#runtime.progress, choosing: [...this.#choosing.values()] }
  }

  /** Begins an answer. */
  start(message: GenerateMessage): void {
    const credit = new SendCredit(message.credit)
    const run = (signal: AbortSignal) => this.#generate(message, credit, signal)
    this.#begin(message.id, run, credit)
  }

  /** Begins a call with a single result. */
  call(id: number, call: EngineCall): void {
    this.#begin(id, async (signal) => {
      const result = await answerCall(this.#runtime, call, signal, this.#watch(id))
      if (!signal.aborted) this.#send({ kind: 'result', id, result })
    })
  }

  /** Grants credit to a request. It is not an error if the request has ended: the messages crossed. */
  grant(id: number, tokens: number): void {
    this.#running.get(id)?.credit?.grant(tokens)
  }

  /** Stops a request, which then only reports that it has stopped. */
  cancel(id: number): void {
    const request = this.#running.get(id)
    if (request === undefined) this.#send({ kind: 'cancelled', id })
    else request.cancel.abort()
  }

  /** Stops all requests and waits until they have. */
  async cancelAll(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { cancel } of running) cancel.abort()
    await Promise.all(running.map(({ ended }) => ended))
  }

  #begin(id: number, run: (signal: AbortSignal) => Promise<void>, credit?: SendCredit): void {
    const cancel = new AbortController()
    const ended = this.#settle(id, run(cancel.signal), cancel.signal)
    this.#running.set(id, { cancel, ended, ...(credit && { credit }) })
  }

  async #settle(id: number, work: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#gatherer.flush()
      if (!signal.aborted)
        this.#send({ kind: 'failed', id, error: toWireError(asStarlingError(error)) })
    }
    this.#running.delete(id)
    if (!signal.aborted) return
    this.#gatherer.flush()
    this.#send({ kind: 'cancelled', id })
  }

  #watch(id: number): RequestWatch {
    let index = 0
    return {
      during: async <Result>(step: BlockingStep, work: () => Result | Promise<Result>) => {
        let result: Result | Promise<Result>
        this.#steps.write({ request: id, step })
        try {
          result = work()
        } finally {
          this.#steps.write(null)
        }
        return await result
      },
      choosing: () => this.#choosing.set(id, { request: id, index }),
      chosen: () => {
        this.#choosing.delete(id)
        index += 1
      },
    }
  }

  async #generate(
    { id, messages, options, resumeFrom }: GenerateMessage,
    credit: SendCredit,
    signal: AbortSignal,
  ): Promise<void> {
    const request: GenerateRequest = { messages, options, resumeFrom }
    const generation = this.#runtime.generate(request, signal, this.#watch(id))
    let isFirst = true
    for (;;) {
      if (credit.available === 0) {
        // The reader grants more only when it has read these.
        this.#gatherer.sendThisTurn()
        // A cancelled generation is continued below: it frees its slot and throws.
        await unlessAborted(credit.whenAvailable(), signal).catch(() => undefined)
      }
      const step = await generation.next()
      if (step.done) {
        this.#gatherer.flush()
        if (!signal.aborted) this.#send({ kind: 'end', id, end: step.value })
        return
      }
      if (signal.aborted) continue
      credit.spend()
      this.#gatherer.put(id, step.value, isFirst)
      isFirst = false
    }
  }
}

/** An error without one of our codes is a failure of the engine; the request may be repeated. */
function asStarlingError(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StarlingError('ENGINE_CRASHED', `The engine failed: ${reason}`, { cause: error })
}

/** Answers a call in the child. */
async function answerCall(
  runtime: RequestRuntime,
  call: EngineCall,
  signal: AbortSignal,
  watch: RequestWatch,
): Promise<EngineCallResult> {
  switch (call.method) {
    case 'tokenize': {
      const tokens = await watch.during('tokens', () => runtime.tokenize(call.text))
      return { method: 'tokenize', tokens: [...tokens] }
    }
    case 'detokenize': {
      const text = await watch.during('tokens', () => runtime.detokenize(call.tokens))
      return { method: 'detokenize', text }
    }
    case 'applyTemplate': {
      const { text, tokens } = await watch.during('prompt', () =>
        runtime.applyTemplate(call.messages, call.tools),
      )
      return { method: 'applyTemplate', text, tokens: [...tokens] }
    }
    case 'embed': {
      const vectors = await runtime.embed(call.texts, signal, watch)
      return { method: 'embed', vectors: vectors.map(encodeVector) }
    }
  }
}
