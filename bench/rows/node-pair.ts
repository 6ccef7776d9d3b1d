import { randomBytes } from 'node:crypto'
import HyperDHT from 'hyperdht'
import { configSchema } from '../../config/schema.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import type { Service } from '../../facilities/network/calls/service.js'
import { MeshEndpoint } from '../../facilities/network/connection/mesh-endpoint.js'
import type { OutgoingConnection } from '../../facilities/network/connection/outgoing-connection.js'
import type { NetworkLimits } from '../../facilities/network/limits/network-limit-settings.js'
import { issueCertificate } from '../../helpers/identity/certificate.js'
import type { Identity } from '../../helpers/identity/identity.js'
import { type KeyPair, keyPairFromSeed } from '../../helpers/identity/key-pair.js'
import { membershipKeyOf } from '../../helpers/identity/membership-mac.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { RequestOrigin } from '../../helpers/protocol/envelope.js'

const LIMITS: NetworkLimits = configSchema.parse({}).network

/** The origin of every request of a benchmark, because creating origins is not measured. */
export const ORIGIN: RequestOrigin = {
  requestId: 'req_01J00000000000000000000000',
  traceparent: '00-00000000000000000000000000000001-0000000000000001-01',
}

/** Not the default port, so that benchmarks do not disturb a running mesh. */
let nextPort = 28_750

/** Two DHT nodes on 127.0.0.1, with a bootstrap node of their own. */
export interface DhtPair {
  readonly one: HyperDHT
  readonly other: HyperDHT
  /** The port of the bootstrap node, for {@link openDhtNode}. */
  readonly port: number
  close(): Promise<void>
}

/** Opens a DHT of three nodes: the pair and its bootstrap node. */
export async function openDhtPair(): Promise<DhtPair> {
  const port = nextPort++
  const bootstrap = HyperDHT.bootstrapper(port, '127.0.0.1', { host: '127.0.0.1' })
  await bootstrap.ready()
  const one = openDhtNode(port)
  const other = openDhtNode(port)
  return {
    one,
    other,
    port,
    async close() {
      await one.destroy()
      await other.destroy()
      await bootstrap.destroy()
    },
  }
}

/** Another node of the DHT whose bootstrap node has that port. */
export function openDhtNode(port: number): HyperDHT {
  return new HyperDHT({
    bootstrap: [{ host: '127.0.0.1', port }],
    host: '127.0.0.1',
    firewalled: false,
  })
}

/** A gateway, and an authenticated connection to it. */
export interface NodePair {
  readonly connection: OutgoingConnection
  /** Opens another connection. */
  dial(): Promise<OutgoingConnection>
  close(): Promise<void>
}

/** Connects a client to a gateway that answers with `service`. */
export async function openNodePair(service: Service): Promise<NodePair> {
  const dht = await openDhtPair()
  const meshSeed = randomBytes(32)
  const server = await openGateway(dht.one, meshSeed, service)
  const client = await openClient(dht.other, meshSeed)
  const dial = () => client.dial(server.publicKey, server.addresses)
  return {
    connection: await dial(),
    dial,
    async close() {
      await client.close()
      await server.close()
      await dht.close()
    },
  }
}

/** A gateway on a DHT node. */
export interface BenchGateway {
  readonly publicKey: Uint8Array
  readonly addresses: readonly HyperDHT.Address[]
  close(): Promise<void>
}

/** @param meshSeed what the keys of the mesh are derived from; 32 bytes */
export async function openGateway(
  dht: HyperDHT,
  meshSeed: Uint8Array,
  service: Service,
): Promise<BenchGateway> {
  const { publicKey, endpoint } = await openEndpoint(dht, meshSeed, 'gateway', service)
  return { publicKey, addresses: endpoint.addresses, close: () => endpoint.close() }
}

/** A client on a DHT node. */
export interface BenchClient {
  dial(publicKey: Uint8Array, addresses: readonly HyperDHT.Address[]): Promise<OutgoingConnection>
  close(): Promise<void>
}

/** @param meshSeed as for {@link openGateway} */
export async function openClient(dht: HyperDHT, meshSeed: Uint8Array): Promise<BenchClient> {
  const { endpoint } = await openEndpoint(dht, meshSeed, 'client', null)
  return {
    dial: (publicKey, addresses) =>
      endpoint.dial(publicKey, addresses, new AbortController().signal),
    close: () => endpoint.close(),
  }
}

/** A new random key pair. */
export function freshKeyPair(): KeyPair {
  return keyPairFromSeed(randomBytes(32))
}

async function openEndpoint(
  dht: HyperDHT,
  meshSeed: Uint8Array,
  role: Role,
  service: Service | null,
): Promise<{ publicKey: Uint8Array; endpoint: MeshEndpoint }> {
  const identity = identityOf(meshSeed, role)
  const endpoint = new MeshEndpoint({
    dht,
    identity,
    clock: new SystemClock(),
    limits: LIMITS,
    service,
  })
  await endpoint.ready()
  return { publicKey: identity.keyPair.publicKey, endpoint }
}

function identityOf(meshSeed: Uint8Array, role: Role): Identity {
  const root = keyPairFromSeed(meshSeed)
  const keyPair = freshKeyPair()
  const certificate = issueCertificate(root, {
    publicKey: Buffer.from(keyPair.publicKey).toString('hex'),
    roles: [role],
    name: role,
    serial: role,
    expiresAt: Date.now() + 3_600_000,
  })
  return {
    mesh: Buffer.from(root.publicKey).toString('hex'),
    keyPair,
    membershipKey: membershipKeyOf(meshSeed),
    certificate: () => certificate,
  }
}
