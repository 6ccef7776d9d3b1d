import { Invariant } from './invariant.js'
import type { Observation } from './observation.js'

/** An account whose registration was acknowledged is never lost. */
export class AccountsLast extends Invariant {
  readonly name = 'accounts-last'
  /** When the registration of an address was acknowledged. */
  readonly #acknowledgedAtMs = new Map<string, number>()

  override observe(observation: Observation, nowMs: number): void {
    if (observation.kind === 'acknowledged') {
      const { email } = observation
      if (this.#acknowledgedAtMs.has(email))
        this.violated(`${email} was lost: it was registered again`)
      this.#acknowledgedAtMs.set(email, nowMs)
    }
    if (observation.kind !== 'logged-in' || observation.code !== 'INVALID_CREDENTIAL') return
    const { email, sinceMs } = observation
    // A login that began before may have looked for the account before it was there.
    if ((this.#acknowledgedAtMs.get(email) ?? sinceMs) < sinceMs) {
      this.violated(`${email} was registered and is not known any more`)
    }
  }
}
