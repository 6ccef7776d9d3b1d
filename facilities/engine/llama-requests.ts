import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { toWireError } from '../../helpers/errors/wire-error.js'
import { CreditWindow } from './credit-window.js'
import type { Engine } from './engine.js'
import { answerCall } from './llama-calls.js'
import type { EngineCall, FromChild, GenerateMessage } from './llama-messages.js'
import type { LlamaRuntime } from './llama-runtime.js'
import { TokenOutbox } from './token-outbox.js'

/** What requests are made of. */
export type RequestRuntime = Pick<Engine, 'generate'> &
  Pick<LlamaRuntime, 'tokenize' | 'detokenize' | 'applyTemplate' | 'embed'>

/** A request that runs. */
interface RunningRequest {
  readonly cancel: AbortController
  readonly ended: Promise<void>
  /** Of an answer. */
  readonly credit?: CreditWindow
}

/**
 * The child's side of the requests: runs each, sends its tokens as far as its credit goes, and
 * stops it when it is cancelled.
 */
export class LlamaRequests {
  readonly #running = new Map<number, RunningRequest>()
  readonly #runtime: RequestRuntime
  readonly #send: (message: FromChild) => void
  readonly #outbox: TokenOutbox

  constructor(runtime: RequestRuntime, send: (message: FromChild) => void) {
    this.#runtime = runtime
    this.#send = send
    this.#outbox = new TokenOutbox((tokens) => send({ kind: 'tokens', tokens }))
  }

  /** Begins an answer. */
  start(message: GenerateMessage): void {
    const credit = new CreditWindow(message.credit)
    this.#begin(message.id, (signal) => this.#generate(message, credit, signal), credit)
  }

  /** Begins what comes in one piece. */
  call(id: number, call: EngineCall): void {
    this.#begin(id, async (signal) => {
      const result = await answerCall(this.#runtime, call, signal)
      if (!signal.aborted) this.#send({ kind: 'result', id, result })
    })
  }

  /** Lets a request send more. One that has ended by now is no error: the messages crossed. */
  grant(id: number, tokens: number): void {
    this.#running.get(id)?.credit?.grant(tokens)
  }

  /** Stops a request; when it has stopped it says so, and nothing else. */
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

  #begin(id: number, run: (signal: AbortSignal) => Promise<void>, credit?: CreditWindow): void {
    const cancel = new AbortController()
    const ended = this.#settle(id, run(cancel.signal), cancel.signal)
    this.#running.set(id, { cancel, ended, ...(credit && { credit }) })
  }

  async #settle(id: number, work: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#outbox.flush()
      if (!signal.aborted) this.#send({ kind: 'failed', id, error: toWireError(typed(error)) })
    }
    this.#running.delete(id)
    if (signal.aborted) this.#send({ kind: 'cancelled', id })
  }

  async #generate(
    { id, messages, options, resumeFrom }: GenerateMessage,
    credit: CreditWindow,
    signal: AbortSignal,
  ): Promise<void> {
    const generation = this.#runtime.generate({ messages, options, resumeFrom }, signal)
    for (;;) {
      await credit.spend(signal)
      // Cancelled, the generation frees its slot and throws.
      const step = await generation.next()
      if (step.done) {
        this.#outbox.flush()
        if (!signal.aborted) this.#send({ kind: 'end', id, end: step.value })
        return
      }
      if (!signal.aborted) this.#outbox.put(id, step.value)
    }
  }
}

/** What fails below without a code of ours is the engine's own failure; another try may do. */
function typed(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StarlingError('ENGINE_CRASHED', `The engine failed: ${reason}`, { cause: error })
}
