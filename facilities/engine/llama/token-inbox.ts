import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'

/** What a generation brings next. */
export type InboxItem = Token | { readonly end: GenerationEnd }

/** What arrived for one generation and was not taken yet. One reader. */
export class TokenInbox {
  readonly #items: InboxItem[] = []
  #error: StarlingError | null = null
  #wake: (() => void) | null = null

  put(item: InboxItem): void {
    this.#items.push(item)
    this.#wakeReader()
  }

  /** Every take from now on fails with this; what was not taken is dropped. The first one counts. */
  fail(error: StarlingError): void {
    this.#error ??= error
    this.#items.length = 0
    this.#wakeReader()
  }

  /** @throws StarlingError what {@link fail} was called with */
  async take(): Promise<InboxItem> {
    for (;;) {
      if (this.#error !== null) throw this.#error
      const item = this.#items.shift()
      if (item !== undefined) return item
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #wakeReader(): void {
    this.#wake?.()
    this.#wake = null
  }
}
