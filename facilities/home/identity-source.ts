import { issueCertificate, type SignedCertificate } from '../../helpers/identity/certificate.js'
import { createId } from '../../helpers/identity/id.js'
import type { KeyPair } from '../../helpers/identity/key-pair.js'
import type { Clock } from '../clock/clock.js'
import type { Random } from '../clock/random.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long a certificate that a worker issues to itself is valid. */
const LIFETIME_MS = 30 * DAY_MS
/** A certificate with less time than this left is replaced before it is presented again. */
const RENEWAL_MS = 15 * DAY_MS

/** The worker that a certificate is for. */
export interface CertificateHolder {
  readonly publicKey: Uint8Array
  /** In the form of roles.ts. */
  readonly role: string
  /** For people, at most 100 characters. Members of the mesh see it. */
  readonly name: string
}

/** Where the certificate of a worker comes from. Only a home with the root key of the mesh can issue one. */
export interface IdentitySource {
  /**
   * Gets a certificate for a worker, and renews it from then on.
   *
   * @returns gives the present certificate; called when a hello begins
   * @throws StarlingError if there is no certificate for the worker
   */
  certify(holder: CertificateHolder): Promise<() => SignedCertificate>
}

/** Signs the certificates of the workers of a home with the root key in it, and renews them. */
export class RootIdentitySource implements IdentitySource {
  readonly #root: KeyPair
  readonly #clock: Clock
  readonly #random: Random

  constructor(options: { root: KeyPair; clock: Clock; random: Random }) {
    this.#root = options.root
    this.#clock = options.clock
    this.#random = options.random
  }

  async certify(holder: CertificateHolder): Promise<() => SignedCertificate> {
    let current = this.#issue(holder)
    return () => {
      if (this.#clock.now() >= current.renewAt) current = this.#issue(holder)
      return current.certificate
    }
  }

  #issue({ publicKey, role, name }: CertificateHolder) {
    const now = this.#clock.now()
    const certificate = issueCertificate(this.#root, {
      publicKey: Buffer.from(publicKey).toString('hex'),
      roles: [role],
      name,
      serial: createId('crt', now, () => this.#random.fraction()),
      expiresAt: now + LIFETIME_MS,
    })
    return { certificate, renewAt: now + LIFETIME_MS - RENEWAL_MS }
  }
}
