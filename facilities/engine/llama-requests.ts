import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { toWireError } from '../../helpers/errors/wire-error.js'
import { CreditWindow } from './credit-window.js'
import type { Engine } from './engine.js'
import type { FromChild, GenerateMessage } from './llama-messages.js'

/** A request that runs. */
interface RunningRequest {
  readonly credit: CreditWindow
  readonly cancel: AbortController
  readonly ended: Promise<void>
}

/**
 * The child's side of the requests: runs each, sends its tokens as far as its credit goes, and
 * stops it when it is cancelled.
 */
export class LlamaRequests {
  readonly #running = new Map<number, RunningRequest>()
  readonly #runtime: Pick<Engine, 'generate'>
  readonly #send: (message: FromChild) => void

  constructor(runtime: Pick<Engine, 'generate'>, send: (message: FromChild) => void) {
    this.#runtime = runtime
    this.#send = send
  }

  start(message: GenerateMessage): void {
    const credit = new CreditWindow(message.credit)
    const cancel = new AbortController()
    const ended = this.#run(message, credit, cancel.signal).finally(() =>
      this.#running.delete(message.id),
    )
    this.#running.set(message.id, { credit, cancel, ended })
  }

  /** Lets a request send more. One that has ended by now is no error: the messages crossed. */
  grant(id: number, tokens: number): void {
    this.#running.get(id)?.credit.grant(tokens)
  }

  /** Stops a request; nothing more is sent about it. */
  cancel(id: number): void {
    this.#running.get(id)?.cancel.abort()
  }

  /** Stops all requests and waits until they have. */
  async cancelAll(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { cancel } of running) cancel.abort()
    await Promise.all(running.map(({ ended }) => ended))
  }

  async #run(message: GenerateMessage, credit: CreditWindow, signal: AbortSignal): Promise<void> {
    const { id, messages, options } = message
    const generation = this.#runtime.generate({ messages, options }, signal)
    try {
      for (;;) {
        await credit.spend(signal)
        // Cancelled, the generation frees its slot and throws.
        const step = await generation.next()
        if (step.done) return this.#send({ kind: 'end', id, end: step.value })
        if (!signal.aborted) this.#send({ kind: 'token', id, token: step.value })
      }
    } catch (error) {
      if (!signal.aborted) this.#send({ kind: 'failed', id, error: toWireError(typed(error)) })
    }
  }
}

/** What fails below without a code of ours is the engine's own failure; another try may do. */
function typed(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StarlingError('ENGINE_CRASHED', `The engine failed: ${reason}`, { cause: error })
}
