import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { configSchema } from '../../config/schema.js'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { Home } from '../../facilities/home/home.js'
import { findMeshKeys, type MeshKeys } from '../../facilities/home/mesh-keys.js'
import { PeersFile } from '../../facilities/home/peers-file.js'
import { createLog } from '../../facilities/log/log.js'
import type { RolePeers } from '../../facilities/network/discovery/role-peers.js'
import { MeshNetwork } from '../../facilities/network/mesh-network.js'
import { certifyRosterKey, deriveRosterKey } from '../../helpers/discovery/roster-key.js'
import { issueCertificate } from '../../helpers/identity/certificate.js'
import { createId } from '../../helpers/identity/id.js'
import type { Identity } from '../../helpers/identity/identity.js'
import { keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../helpers/identity/membership-mac.js'
import { ClientWorker } from '../../workers/client/client-worker.js'
import type { Target } from './attacker-messages.js'

const HOUR_MS = 3_600_000

/** A client of the mesh with a key, a certificate and a network of its own. */
export interface Member {
  readonly client: ClientWorker
  /** The same machine, used by somebody else. */
  as(folder: ClientFolder): ClientWorker
  readonly gateways: RolePeers
  readonly identity: Identity
  close(): Promise<void>
}

/** The keys of the mesh that is attacked. @throws Error when there is none */
export async function meshKeysOf({ home }: Pick<Target, 'home'>): Promise<MeshKeys> {
  const found = await Home.find(home)
  const keys = found && (await findMeshKeys(found))
  if (keys === undefined) throw new Error(`There is no mesh in ${home}`)
  return keys
}

/** A certified client that nobody has seen before. */
export function newIdentity({ mesh, root, secret }: MeshKeys): Identity {
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
 * A place for the session of a user, shared by the members that act for it. It lies in the home of the mesh,
 * with which it is removed.
 */
export async function openAccountFolder(
  { home }: Pick<Target, 'home'>,
  name = randomBytes(8).toString('hex'),
): Promise<ClientFolder> {
  const directory = join(home, 'members', name)
  return await ClientFolder.open(await Home.open(directory), new SystemRandom())
}

/**
 * Opens a client as a machine that has just been given its certificate does.
 *
 * @param options.peersHome the home whose workers it remembers. Default: it remembers none
 * @param waitMs how long it waits for workers
 */
export async function openMember(
  { bootstrapPort, peersHome }: Pick<Target, 'bootstrapPort'> & { readonly peersHome?: string },
  keys: MeshKeys,
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
  const network = new MeshNetwork({
    role: 'client',
    secret: keys.secret,
    identity,
    clock,
    random,
    log,
    ...(remembering && { peerStore: new PeersFile(remembering) }),
    settings: { ...configSchema.parse({}).network, bootstrapPort },
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

/** A member with an account that it has just registered. */
export async function openRegisteredMember(target: Target): Promise<Member> {
  const folder = await openAccountFolder(target)
  const member = await openMember(target, await meshKeysOf(target), folder)
  await member.client.accounts.register(newCredential(), AbortSignal.timeout(20_000))
  return member
}

/** An address and a password that nobody uses. */
export function newCredential(): { email: string; password: string } {
  const name = randomBytes(8).toString('hex')
  return { email: `${name}@bench.example`, password: randomBytes(12).toString('hex') }
}
