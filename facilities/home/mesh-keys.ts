import { StarlingError } from '../../helpers/errors/starling-error.js'
import { type KeyPair, keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import type { Random } from '../clock/random.js'
import type { Home } from './home.js'
import { loadOrCreateSecret } from './secret-file.js'

const KEY_BYTES = 32

/** What makes a home a mesh. */
export interface MeshKeys {
  /** The root public key, hexadecimal: the name of the mesh. */
  readonly mesh: string
  /** Signs certificates. Never leaves the home. */
  readonly root: KeyPair
  /** Hides the mesh's topics from everybody else. 32 bytes. */
  readonly secret: Uint8Array
}

/**
 * The mesh of a home. The first worker to ask makes it, whichever that is.
 *
 * @throws StarlingError HOME_UNUSABLE
 */
export async function openMeshKeys(home: Home, random: Random): Promise<MeshKeys> {
  const folder = await home.folder('mesh')
  const seed = await loadKey(`${folder}/root.key`, random)
  const secret = await loadKey(`${folder}/secret.key`, random)
  const root = keyPairFromSeed(seed)
  return { mesh: Buffer.from(root.publicKey).toString('hex'), root, secret }
}

/** A 32-byte key in a file of its own, hexadecimal and a line end. */
export async function loadKey(path: string, random: Random): Promise<Uint8Array> {
  const content = await loadOrCreateSecret(path, random, () =>
    Buffer.from(`${Buffer.from(random.bytes(KEY_BYTES)).toString('hex')}\n`),
  )
  const text = content.toString('utf8').trim()
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new StarlingError(
      'HOME_UNUSABLE',
      `${path} holds no key; restore it from a backup, or remove it to start anew`,
    )
  }
  return Buffer.from(text, 'hex')
}
