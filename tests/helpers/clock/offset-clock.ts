import { SystemClock } from '../../../facilities/clock/system-clock.js'

/** The clock of a machine on which it is set wrongly. */
export class OffsetClock extends SystemClock {
  readonly #aheadMs: number

  /** @param aheadMs how far it is ahead; negative when it is behind */
  constructor(aheadMs: number) {
    super()
    this.#aheadMs = aheadMs
  }

  override now(): number {
    return super.now() + this.#aheadMs
  }
}
