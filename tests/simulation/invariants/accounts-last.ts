import { Invariant } from './invariant.js'
import type { Observation } from './observation.js'

/** An account whose registration was acknowledged is never lost. */
export class AccountsLast extends Invariant {
  readonly name = 'accounts-last'
  readonly #acknowledged = new Set<string>()

  override observe(observation: Observation): void {
    if (observation.kind === 'acknowledged') {
      const { email } = observation
      if (this.#acknowledged.has(email)) this.violated(`${email} was lost: it was registered again`)
      this.#acknowledged.add(email)
    }
    if (observation.kind !== 'logged-in' || observation.code !== 'INVALID_CREDENTIAL') return
    if (this.#acknowledged.has(observation.email)) {
      this.violated(`${observation.email} was registered and is not known any more`)
    }
  }
}
