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
  close(): Promise<void>
}

/** Opens a DHT of three nodes: the pair and its bootstrap node. */
export async function openDhtPair(): Promise<DhtPair> {
  const port = nextPort++
  const bootstrap = HyperDHT.bootstrapper(port, '127.0.0.1', { host: '127.0.0.1' })
  await bootstrap.ready()
  const node = () =>
    new HyperDHT({ bootstrap: [{ host: '127.0.0.1', port }], host: '127.0.0.1', firewalled: false })
  const one = node()
  const other = node()
  return {
    one,
    other,
    async close() {
      await one.destroy()
      await other.destroy()
      await bootstrap.destroy()
    },
  }
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
  const root = freshKeyPair()
  const clock = new SystemClock()
  const membershipKey = membershipKeyOf(randomBytes(32))
  const gateway = identity(root, membershipKey, 'gateway')
  const server = new MeshEndpoint({
    dht: dht.one,
    identity: gateway,
    clock,
    limits: LIMITS,
    service,
  })
  await server.ready()
  const client = new MeshEndpoint({
    dht: dht.other,
    identity: identity(root, membershipKey, 'client'),
    clock,
    limits: LIMITS,
    service: null,
  })
  await client.ready()
  const dial = () =>
    client.dial(gateway.keyPair.publicKey, server.addresses, new AbortController().signal)
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

/** A new random key pair. */
export function freshKeyPair(): KeyPair {
  return keyPairFromSeed(randomBytes(32))
}

function identity(root: KeyPair, membershipKey: Uint8Array, role: Role): Identity {
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
    membershipKey,
    certificate: () => certificate,
  }
}
