import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { EngineCallResult } from './llama-messages.js'

/** Who waits for the result of a call. */
interface PendingCall {
  readonly resolve: (result: EngineCallResult) => void
  readonly reject: (error: unknown) => void
}

/** The calls that a child has not answered yet. */
export class PendingCalls {
  readonly #pending = new Map<number, PendingCall>()

  /**
   * Waits for the result of a call that was just sent.
   *
   * @param onAbort called when the signal is aborted before the result is there
   * @throws what the call is failed with, or the signal's reason as soon as it is aborted
   */
  async result(
    id: number,
    signal: AbortSignal | undefined,
    onAbort: () => void,
  ): Promise<EngineCallResult> {
    const abort = () => {
      this.fail(id, signal?.reason)
      onAbort()
    }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await new Promise<EngineCallResult>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
      })
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#pending.delete(id)
    }
  }

  /** A call that nobody waits for any more is no error: the messages crossed. */
  resolve(id: number, result: EngineCallResult): void {
    this.#pending.get(id)?.resolve(result)
  }

  fail(id: number, error: unknown): void {
    this.#pending.get(id)?.reject(error)
  }

  failAll(error: StarlingError): void {
    for (const { reject } of this.#pending.values()) reject(error)
  }
}
