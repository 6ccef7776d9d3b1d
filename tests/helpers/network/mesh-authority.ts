import type { Clock } from '../../../facilities/clock/clock.js'
import { type Random, SystemRandom } from '../../../facilities/clock/random.js'
import type { RosterSettings } from '../../../facilities/network/discovery/mesh-roster.js'
import { certifyRosterKey, deriveRosterKey } from '../../../helpers/discovery/roster-key.js'
import {
  type Certificate,
  issueCertificate,
  type SignedCertificate,
} from '../../../helpers/identity/certificate.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import { type KeyPair, keyPairFromSeed } from '../../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../../helpers/identity/membership-mac.js'
import { sign } from '../../../helpers/identity/signature.js'

/** The root of a mesh for one test: its secret, and certificates for any key. */
export class MeshAuthority {
  readonly root: KeyPair
  readonly secret: Uint8Array
  readonly membershipKey: Uint8Array
  readonly #clock: Pick<Clock, 'now'>
  readonly #random: Random

  /**
   * @param clock the time of issue of certificates, which are valid for an hour
   * @param random draws the root key, the secret and the keys of members
   */
  constructor(clock: Pick<Clock, 'now'>, random: Random = new SystemRandom()) {
    this.#clock = clock
    this.#random = random
    this.root = newKeyPair(random)
    this.secret = random.bytes(32)
    this.membershipKey = membershipKeyOf(this.secret)
  }

  /** The mesh's name: its root public key, hexadecimal. */
  get mesh(): string {
    return Buffer.from(this.root.publicKey).toString('hex')
  }

  /** A certificate for the key pair; by default valid for an hour. */
  certify(
    keyPair: KeyPair,
    roles: readonly string[],
    changes: Partial<Certificate> = {},
  ): SignedCertificate {
    return issueCertificate(this.root, {
      publicKey: Buffer.from(keyPair.publicKey).toString('hex'),
      roles: [...roles],
      name: `${roles[0]}@test`,
      serial: '01J0000000000000000000TEST',
      expiresAt: this.#clock.now() + 3_600_000,
      ...changes,
    })
  }

  /** A signed certificate with these fields as they are, even if no version of Starling issues it. */
  certifyAnything(keyPair: KeyPair, fields: object): SignedCertificate {
    const { body: valid } = this.certify(keyPair, ['client'])
    const body = Buffer.from(JSON.stringify({ ...JSON.parse(String(valid)), ...fields }))
    return { body, signature: sign('starling/certificate/1', body, this.root.secretKey) }
  }

  /** A member of this mesh with a key of its own. */
  identity(role: string, changes: Partial<Identity> = {}): Identity {
    const keyPair = changes.keyPair ?? newKeyPair(this.#random)
    const certificate = this.certify(keyPair, [role])
    const { mesh, membershipKey } = this
    return { mesh, keyPair, membershipKey, certificate: () => certificate, ...changes }
  }
}

/** A roster key of this mesh, without a file. */
export function rosterSettings(root: KeyPair): RosterSettings {
  return { certificate: certifyRosterKey(root, deriveRosterKey(root).publicKey), store: null }
}

export function newKeyPair(random: Random = new SystemRandom()): KeyPair {
  return keyPairFromSeed(random.bytes(32))
}
