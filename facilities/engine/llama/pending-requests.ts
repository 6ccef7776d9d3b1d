import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import type { EngineCallResult } from './llama-messages.js'

/** A caller that waits for the result of a call. */
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
   * @param onAbort called if the signal is aborted before the result has arrived
   * @throws the error of the call, or the signal's reason as soon as it is aborted
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

  /** A result of a cancelled call is ignored: the messages crossed. */
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

/** A token of a generation, or its end. */
export type QueueItem = Token | { readonly end: GenerationEnd }

/** The reader of a queue without tokens. */
interface Waiting {
  readonly resolve: (item: QueueItem) => void
  readonly reject: (error: StarlingError) => void
}

/** The tokens of one generation that have arrived and were not read yet. For one reader. */
export class TokenQueue {
  readonly #items: QueueItem[] = []
  #error: StarlingError | null = null
  #waiting: Waiting | null = null

  put(item: QueueItem): void {
    const waiting = this.#waiting
    this.#waiting = null
    if (waiting === null) this.#items.push(item)
    else waiting.resolve(item)
  }

  /** Makes all further reads fail, and drops unread tokens. Only the first call counts. */
  fail(error: StarlingError): void {
    this.#error ??= error
    this.#items.length = 0
    this.#waiting?.reject(this.#error)
    this.#waiting = null
  }

  /** The next item if it has arrived, for which a promise would cost more than the item; otherwise {@link take} it. */
  poll(): QueueItem | undefined {
    return this.#items.shift()
  }

  /** The next item, as soon as it arrives. @throws StarlingError what {@link fail} was called with */
  take(): Promise<QueueItem> {
    return new Promise((resolve, reject) => {
      const item = this.#items.shift()
      if (this.#error !== null) reject(this.#error)
      else if (item !== undefined) resolve(item)
      else this.#waiting = { resolve, reject }
    })
  }
}
