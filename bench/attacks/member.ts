import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { configSchema } from '../../config/schema.js'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { Home } from '../../facilities/home/home.js'
import { findMeshKeys, type MeshKeys, rootKeyOf } from '../../facilities/home/mesh-keys.js'
import { PeersFile } from '../../facilities/home/peers-file.js'
import { createLog } from '../../facilities/log/log.js'
import type { RolePeers } from '../../facilities/network/discovery/role-peers.js'
import { MeshNetwork } from '../../facilities/network/mesh-network.js'
import { LoopbackMode } from '../../facilities/network/modes/loopback-mode.js'
import { certifyRosterKey, deriveRosterKey } from '../../helpers/discovery/roster-key.js'
import { issueCertificate } from '../../helpers/identity/certificate.js'
import { createId } from '../../helpers/identity/id.js'
import type { Identity } from '../../helpers/identity/identity.js'
import { type KeyPair, keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../helpers/identity/membership-mac.js'
import { ClientWorker } from '../../workers/client/client-worker.js'
import type { Target } from './attacker-messages.js'

const HOUR_MS = 3_600_000

/** A client of the mesh with a key, a certificate and a network of its own. */
export interface Member {
  readonly client: ClientWorker
  /** A client with the same connection for another user. */
  as(folder: ClientFolder): ClientWorker
  readonly gateways: RolePeers
  readonly identity: Identity
  close(): Promise<void>
}

/** The keys of a mesh, its root key among them. */
interface AllMeshKeys extends MeshKeys {
  readonly root: KeyPair
}

/** The keys of the mesh in a home. @throws Error if there is no mesh */
export async function meshKeysOf({ home }: Pick<Target, 'home'>): Promise<AllMeshKeys> {
  const found = await Home.find(home)
  const keys = found && (await findMeshKeys(found))
  if (found === undefined || keys === undefined) throw new Error(`There is no mesh in ${home}`)
  return { ...keys, root: rootKeyOf(found, keys) }
}

/** A certified client with a new key. */
export function newIdentity({ mesh, root, secret }: AllMeshKeys): Identity {
  const keyPair = keyPairFromSeed(randomBytes(32))
  const random = new SystemRandom()
  const certificate = issueCertificate(root, {
    publicKey: Buffer.from(keyPair.publicKey).toString('hex'),
    roles: ['client'],
    name: 'client',
    serial: createId('crt', Date.now(), () => random.fraction()),
    expiresAt: Date.now() + HOUR_MS,
  })
  const membershipKey = membershipKeyOf(secret)
  return { mesh, keyPair, membershipKey, certificate: () => certificate }
}

/**
 * Opens a folder for the session of a user, which the members that act for the user share. It is in the home of
 * the mesh and is removed with it.
 */
export async function openAccountFolder(
  { home }: Pick<Target, 'home'>,
  name = randomBytes(8).toString('hex'),
): Promise<ClientFolder> {
  const directory = join(home, 'members', name)
  return await ClientFolder.open(await Home.open(directory), new SystemRandom())
}

/**
 * Opens a client of the mesh with a new key and a new certificate.
 *
 * @param target.peersHome the home whose remembered workers it dials first. Default: none
 * @param waitMs how long it waits for workers
 */
export async function openMember(
  { bootstrapPort, peersHome }: Pick<Target, 'bootstrapPort'> & { readonly peersHome?: string },
  keys: AllMeshKeys,
  folder: ClientFolder,
  waitMs = 10_000,
): Promise<Member> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const identity = newIdentity(keys)
  const { mesh } = keys
  const log = createLog({ name: 'member', level: 'silent', json: true, output: process.stderr })
  const home = peersHome && (await Home.open(peersHome))
  const remembering = home && { home, mesh, clock, random, log }
  const settings = { ...configSchema.parse({}).network, bootstrapPort }
  const network = new MeshNetwork({
    role: 'client',
    mode: new LoopbackMode(settings),
    secret: keys.secret,
    identity,
    clock,
    random,
    log,
    ...(remembering && { peerStore: new PeersFile(remembering) }),
    settings,
    roster: {
      certificate: certifyRosterKey(keys.root, deriveRosterKey(keys.root).publicKey),
      store: null,
    },
  })
  const gateways = network.peers('gateway')
  const as = (folder: ClientFolder) =>
    new ClientWorker({
      gateways,
      folder,
      lookedFor: 'the gateway of the benchmark',
      waitMs,
      onWaiting: () => undefined,
      clock,
      random,
    })
  await network.ready()
  return { client: as(folder), as, gateways, identity, close: () => network.close() }
}

/** Opens a member and registers an account for it. */
export async function openRegisteredMember(target: Target): Promise<Member> {
  const folder = await openAccountFolder(target)
  const member = await openMember(target, await meshKeysOf(target), folder)
  await member.client.accounts.register(newCredential(), AbortSignal.timeout(20_000))
  return member
}

/** A random e-mail address and password. */
export function newCredential(): { email: string; password: string } {
  const name = randomBytes(8).toString('hex')
  return { email: `${name}@bench.example`, password: randomBytes(12).toString('hex') }
}
