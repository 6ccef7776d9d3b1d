import { SystemRandom } from '../../facilities/clock/random.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { RosterEntry } from '../../helpers/roster/roster-entry.js'
import { deriveRosterKey } from '../../helpers/roster/roster-key.js'
import {
  type RosterKeys,
  type SignedRoster,
  signRoster,
} from '../../helpers/roster/signed-roster.js'
import { MeshAuthority } from './mesh-authority.js'

/** A mesh that signs rosters. */
export class RosterAuthority extends MeshAuthority {
  readonly rosterKey = deriveRosterKey(this.root)

  constructor() {
    super({ now: () => Date.UTC(2026, 0, 1) })
  }

  /** What readers of its rosters need. */
  get keys(): RosterKeys {
    return { mesh: this.mesh, secret: this.secret, publicKey: this.rosterKey.publicKey }
  }

  sign(entries: readonly RosterEntry[], sequence: number): SignedRoster {
    return signRoster(entries, sequence, { keyPair: this.rosterKey, seal: this.keys })
  }
}

/** A worker with a key that belongs to nobody. */
export function rosterEntry(...roles: Role[]): RosterEntry {
  return { publicKey: Buffer.from(new SystemRandom().bytes(32)), roles }
}

/** As many gateways. */
export function rosterOf(count: number): RosterEntry[] {
  return Array.from({ length: count }, () => rosterEntry('gateway'))
}
