import { join } from 'node:path'
import type { Identity } from '../../helpers/identity/identity.js'
import { keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../helpers/identity/membership-mac.js'
import type { Random } from '../clock/random.js'
import type { IdentitySource } from './identity-source.js'
import { loadKey, type MeshKeys } from './mesh-keys.js'

/** An identity and the name that its certificate gives it. */
export interface WorkerIdentity extends Identity {
  /** For people: `processor-2`, the name of the worker's folder. */
  readonly name: string
}

/**
 * The identity of a worker: its own key, kept in its folder, and a certificate.
 *
 * @param folder the worker's own folder
 * @param options.source where the certificate comes from
 * @throws StarlingError HOME_UNUSABLE; or as {@link IdentitySource.certify}
 */
export async function openWorkerIdentity(
  folder: string,
  role: string,
  options: { meshKeys: MeshKeys; source: IdentitySource; name: string; random: Random },
): Promise<WorkerIdentity> {
  const { meshKeys, source, random } = options
  const keyPair = keyPairFromSeed(await loadKey(join(folder, 'identity.key'), random))
  // It does not identify the machine: members of the mesh see it.
  const name = options.name.slice(0, 100)
  const { publicKey } = keyPair
  return {
    mesh: meshKeys.mesh,
    name,
    keyPair,
    membershipKey: membershipKeyOf(meshKeys.secret),
    certificate: await source.certify({ publicKey, role, name }),
  }
}
