import { join } from 'node:path'
import { issueCertificate, type SignedCertificate } from '../../helpers/identity/certificate.js'
import { createId } from '../../helpers/identity/id.js'
import type { Identity } from '../../helpers/identity/identity.js'
import { keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../helpers/identity/membership-mac.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock } from '../clock/clock.js'
import type { Random } from '../clock/random.js'
import { loadKey, type MeshKeys } from './mesh-keys.js'

const DAY_MS = 24 * 60 * 60 * 1000
/** How long a certificate that a worker issues to itself is valid. */
const LIFETIME_MS = 30 * DAY_MS
/** A certificate with less time than this left is replaced before it is presented again. */
const RENEWAL_MS = 15 * DAY_MS

/** An identity and the name that its certificate gives it. */
export interface WorkerIdentity extends Identity {
  /** For people: `processor-2`, the name of the worker's folder. */
  readonly name: string
}

/**
 * The identity of a worker that shares a home with the root key: its own key, kept in its folder,
 * and a certificate that it issues to itself and renews while it runs.
 *
 * @param folder the worker's own folder
 * @throws StarlingError HOME_UNUSABLE
 */
export async function openWorkerIdentity(
  folder: string,
  role: Role,
  options: { meshKeys: MeshKeys; name: string; clock: Clock; random: Random },
): Promise<WorkerIdentity> {
  const { meshKeys, clock, random } = options
  const keyPair = keyPairFromSeed(await loadKey(join(folder, 'identity.key'), random))
  // It does not identify the machine: members of the mesh see it.
  const name = options.name.slice(0, 100)
  let current: { certificate: SignedCertificate; renewAt: number } | undefined
  return {
    mesh: meshKeys.mesh,
    name,
    keyPair,
    membershipKey: membershipKeyOf(meshKeys.secret),
    certificate() {
      const now = clock.now()
      if (current === undefined || now >= current.renewAt) {
        const certificate = issueCertificate(meshKeys.root, {
          publicKey: Buffer.from(keyPair.publicKey).toString('hex'),
          roles: [role],
          name,
          serial: createId('crt', now, () => random.fraction()),
          expiresAt: now + LIFETIME_MS,
        })
        current = { certificate, renewAt: now + LIFETIME_MS - RENEWAL_MS }
      }
      return current.certificate
    },
  }
}
