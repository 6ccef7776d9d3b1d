import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { type KeyPair, keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import type { Random } from '../clock/random.js'
import { loadOrCreateSecret, readSecret } from '../files/private-file.js'
import type { Home } from './home.js'

const KEY_BYTES = 32

/** Digits of a public key that messages show. */
const SHOWN_DIGITS = 12

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/)

/** Identifies the keys of a mesh without containing them. */
const recordSchema = z.strictObject({
  version: z.literal(1),
  rootPublicKey: digestSchema,
  /** SHA-256 of a fixed prefix and the mesh secret. */
  secretHash: digestSchema,
})

type MeshRecord = z.infer<typeof recordSchema>

/** The keys of a mesh. */
export interface MeshKeys {
  /** The root public key, hexadecimal: the name of the mesh. */
  readonly mesh: string
  /** Signs certificates. Never leaves the home. Null in a home without it, which cannot make a certificate. */
  readonly root: KeyPair | null
  /** Hides the mesh's topics from all others. 32 bytes. */
  readonly secret: Uint8Array
}

/** The paths of the files in `mesh/`. */
interface MeshPaths {
  readonly root: string
  readonly secret: string
  readonly record: string
}

/**
 * The mesh of a home. The first worker that starts in the home creates it.
 *
 * `mesh.json` records which keys belong together. A key that is lost is therefore not created again,
 * and a key of another mesh is detected.
 *
 * @throws StarlingError HOME_UNUSABLE if the secret is missing, or a key is damaged, of another mesh, or not trusted
 */
export async function openMeshKeys(home: Home, random: Random): Promise<MeshKeys> {
  await home.folder('mesh')
  const paths = pathsIn(home)
  const record = await readRecord(paths)
  if (record !== undefined) return await recordedKeys(paths, record)
  const seed = await loadKey(paths.root, random)
  const keys = meshOf(seed, await loadKey(paths.secret, random))
  const text = await loadOrCreateSecret(paths.record, random, () => encodeRecord(keys))
  assertRecorded(paths, parseRecord(paths.record, text), keys)
  return keys
}

/**
 * The mesh of a home; undefined if there is none. Creates nothing.
 *
 * @throws StarlingError as {@link openMeshKeys}
 */
export async function findMeshKeys(home: Home): Promise<MeshKeys | undefined> {
  const paths = pathsIn(home)
  const record = await readRecord(paths)
  if (record !== undefined) return await recordedKeys(paths, record)
  const [seed, secret] = [await readKey(paths.root), await readKey(paths.secret)]
  // If only one of them exists, a worker is creating the mesh right now.
  return seed === undefined || secret === undefined ? undefined : meshOf(seed, secret)
}

/**
 * The root key of a home.
 *
 * @throws StarlingError HOME_UNUSABLE if the home does not have it
 */
export function rootKeyOf(home: Home, { mesh, root }: MeshKeys): KeyPair {
  const paths = pathsIn(home)
  if (root === null) throw missing(paths.root, paths, mesh)
  return root
}

/** A 32-byte key in its own file, as hexadecimal digits and a newline; created if it is missing. */
export async function loadKey(path: string, random: Random): Promise<Uint8Array> {
  const newKey = () => `${Buffer.from(random.bytes(KEY_BYTES)).toString('hex')}\n`
  return parseKey(path, await loadOrCreateSecret(path, random, newKey))
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  const content = await readSecret(path)
  return content === undefined ? undefined : parseKey(path, content)
}

function parseKey(path: string, content: string): Uint8Array {
  const text = content.trim()
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new StarlingError(
      'HOME_UNUSABLE',
      `${path} contains no key; restore it from a backup, or remove it to create a new one`,
    )
  }
  return Buffer.from(text, 'hex')
}

function pathsIn(home: Home): MeshPaths {
  const path = (name: string) => home.path('mesh', name)
  return { root: path('root.key'), secret: path('secret.key'), record: path('mesh.json') }
}

function meshOf(seed: Uint8Array, secret: Uint8Array): MeshKeys {
  const root = keyPairFromSeed(seed)
  return { mesh: Buffer.from(root.publicKey).toString('hex'), root, secret }
}

async function readRecord(paths: MeshPaths): Promise<MeshRecord | undefined> {
  const text = await readSecret(paths.record)
  return text === undefined ? undefined : parseRecord(paths.record, text)
}

function encodeRecord({ mesh, secret }: MeshKeys): string {
  const record: MeshRecord = { version: 1, rootPublicKey: mesh, secretHash: hashOf(secret) }
  return `${JSON.stringify(record)}\n`
}

function parseRecord(path: string, text: string): MeshRecord {
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new StarlingError(
      'HOME_UNUSABLE',
      `${path} is damaged or was written by another version; restore it from a backup, or remove it ` +
        'if the keys in its folder belong to this mesh',
      { cause },
    )
  }
}

/** The keys that a record identifies. A missing key is never created again. */
async function recordedKeys(paths: MeshPaths, record: MeshRecord): Promise<MeshKeys> {
  const mesh = record.rootPublicKey
  const seed = await readKey(paths.root)
  const secret = await readKey(paths.secret)
  if (secret === undefined) throw missing(paths.secret, paths, mesh)
  const keys = seed === undefined ? { mesh, root: null, secret } : meshOf(seed, secret)
  assertRecorded(paths, record, keys)
  return keys
}

function missing(path: string, { record }: MeshPaths, mesh: string): StarlingError {
  return new StarlingError(
    'HOME_UNUSABLE',
    `${path} is missing, but ${record} records the mesh ${shown(mesh)}; ` +
      `restore the key from a backup, or move ${dirname(path)} away to create a new mesh`,
  )
}

function assertRecorded(paths: MeshPaths, record: MeshRecord, { mesh, secret }: MeshKeys): void {
  if (record.rootPublicKey !== mesh) {
    throw foreign(
      `${paths.root} is the root key of the mesh ${shown(mesh)}, but ${paths.record} records the ` +
        `mesh ${shown(record.rootPublicKey)}`,
    )
  }
  if (record.secretHash !== hashOf(secret)) {
    throw foreign(
      `${paths.secret} is not the secret of the mesh ${shown(mesh)}, which ${paths.record} records`,
    )
  }
}

function foreign(what: string): StarlingError {
  return new StarlingError('HOME_UNUSABLE', `${what}; restore the files of one mesh from a backup`)
}

function hashOf(secret: Uint8Array): string {
  return createHash('sha256').update('starling/mesh-secret-hash/1\n').update(secret).digest('hex')
}

function shown(publicKey: string): string {
  return publicKey.slice(0, SHOWN_DIGITS)
}
