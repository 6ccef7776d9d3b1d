/** How much a sender may still send: the receiver grants, the sender spends. */
export class CreditWindow {
  #left: number
  #wake: (() => void) | null = null

  constructor(initial: number) {
    this.#left = initial
  }

  grant(amount: number): void {
    this.#left += amount
    this.#wake?.()
    this.#wake = null
  }

  /**
   * Spends one, waiting until there is one to spend. One spender at a time.
   *
   * @param signal ends the wait when it is aborted; nothing is spent then
   */
  async spend(signal: AbortSignal): Promise<void> {
    while (this.#left === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const goOn = () => {
          signal.removeEventListener('abort', goOn)
          resolve()
        }
        this.#wake = goOn
        signal.addEventListener('abort', goOn, { once: true })
      })
    }
    if (!signal.aborted) this.#left -= 1
  }
}
