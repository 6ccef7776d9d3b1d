import type { Test } from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { Service } from '../../../facilities/network/calls/service.js'
import {
  MeshRoster,
  type MeshRosterOptions,
} from '../../../facilities/network/discovery/mesh-roster.js'
import type { RosterStore } from '../../../facilities/network/discovery/roster-keeper.js'
import type { RosterEntry } from '../../../helpers/discovery/roster-entry.js'
import { deriveRosterKey } from '../../../helpers/discovery/roster-key.js'
import {
  encodeRoster,
  type RosterKeys,
  type SignedRoster,
  signRoster,
} from '../../../helpers/discovery/signed-roster.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { rosterProtocol } from '../../../helpers/protocol/roster-protocol.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { MeshAuthority, rosterSettings } from './mesh-authority.js'
import { type ConnectionStandIn, connectionTo } from './peers-stand-in.js'
import { RecordDht } from './record-dht.js'

/** A mesh that signs rosters. */
export class RosterAuthority extends MeshAuthority {
  readonly rosterKey = deriveRosterKey(this.root)

  constructor() {
    super({ now: () => Date.UTC(2026, 0, 1) })
  }

  /** What a reader of its rosters needs. */
  get keys(): RosterKeys {
    return { mesh: this.mesh, secret: this.secret, publicKey: this.rosterKey.publicKey }
  }

  sign(entries: readonly RosterEntry[], sequence: number): SignedRoster {
    return signRoster(entries, sequence, { keyPair: this.rosterKey, seal: this.keys })
  }
}

/** A worker with an arbitrary key. */
export function rosterEntry(...roles: Role[]): RosterEntry {
  return { publicKey: Buffer.from(new SystemRandom().bytes(32)), roles }
}

/** That many gateways. */
export function rosterOf(count: number): RosterEntry[] {
  return Array.from({ length: count }, () => rosterEntry('gateway'))
}

/** The parts of a mesh's workers that read and publish its roster, on one DHT in memory. */
export class RosterScene {
  readonly authority = new RosterAuthority()
  readonly clock = new VirtualClock()
  readonly dht = new RecordDht()
  /** What the workers reported. */
  readonly rosters: number[] = []
  readonly parts: number[] = []
  readonly failures: unknown[] = []
  readonly #t: Test

  constructor(t: Test) {
    this.#t = t
  }

  /** A worker. Not ready yet. Its rounds have no jitter: every 60 s, or every 5 s without a roster. */
  worker(changes: Partial<MeshRosterOptions> = {}): MeshRoster {
    const roster = new MeshRoster({
      ...rosterSettings(this.authority.root),
      mesh: this.authority.mesh,
      secret: this.authority.secret,
      publicKey: new Uint8Array(32),
      dht: this.dht.node(),
      clock: this.clock,
      random: Object.assign(new SystemRandom(), { fraction: () => 0.5 }),
      events: {
        onRoster: (_entries, sequence) => this.rosters.push(sequence),
        onPartOfRoster: (entries) => this.parts.push(entries.length),
        onRosterFailure: (error) => this.failures.push(error),
      },
      ...changes,
    })
    this.#t.teardown(() => roster.close())
    return roster
  }

  /** A connection to a worker with a new key that answers with this roster, valid or not. */
  peer(roster: () => SignedRoster | null): ConnectionStandIn {
    const service = new Service().unary(rosterProtocol.newest, async () => {
      const newest = roster()
      return newest === null ? {} : { roster: encodeRoster(newest) }
    })
    const connection = connectionTo(service, { caller: 'gateway', peer: 'processor' })
    const { publicKey } = rosterEntry('processor')
    const identity = { ...connection.identity, publicKey }
    Object.defineProperties(connection, { identity: { value: identity } })
    return connection
  }
}

/** How often a connection was asked for its roster. */
export function asked(connection: ConnectionStandIn): number {
  return connection.call.callCount
}

/** A store in memory. */
export function memoryStore(roster: SignedRoster | null = null): RosterStore & {
  kept: SignedRoster | null
} {
  return {
    kept: roster,
    async load() {
      return this.kept
    },
    async save(roster) {
      if (this.kept === null || this.kept.sequence < roster.sequence) this.kept = roster
      return this.kept
    },
  }
}
