import HyperDHT from 'hyperdht'
import { createStubInstance, type SinonStubbedInstance } from 'sinon'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { Service } from '../../../facilities/network/calls/service.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { KnownPeers } from '../../../facilities/network/discovery/known-peers.js'
import { RolePeers, type UnreachedPeer } from '../../../facilities/network/discovery/role-peers.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { lateAnswer } from './answer-stand-in.js'
import { requestContext } from './call-service.js'
import { linkTo } from './service-link.js'

/** A connection without a network: a stub whose answers a test sets. */
export type ConnectionStandIn = SinonStubbedInstance<OutgoingConnection>

/** The workers of one role, which a test adds and removes. */
export class PeersStandIn extends RolePeers {
  /** Resolves the callers that wait for a survey. */
  survey: Promise<void> = Promise.resolve()
  /** Peers that are announced but not connected. */
  missed: UnreachedPeer[] = []
  #open: OutgoingConnection[] = []

  constructor(role: Role) {
    super({
      role,
      topic: new Uint8Array(32),
      dht: createStubInstance(HyperDHT),
      node: createStubInstance(MeshEndpoint),
      known: createStubInstance(KnownPeers),
      clock: new VirtualClock(),
      random: new SystemRandom(),
      intervalMs: 1_000,
    })
  }

  override get connections(): OutgoingConnection[] {
    return [...this.#open]
  }

  override get unreached(): UnreachedPeer[] {
    return this.missed
  }

  override async surveyed(): Promise<void> {
    await this.survey
  }

  connect(connection: OutgoingConnection): void {
    this.#open.push(connection)
    this.emit('connected', connection)
  }

  lose(connection: OutgoingConnection): void {
    connection.destroy()
    this.#open = this.#open.filter((one) => one !== connection)
    this.emit('lost', connection)
  }
}

/**
 * A connection whose other end answers with `service`, in this process: see {@link linkTo}.
 *
 * @param caller the role of the caller
 * @param peer the role of the other side
 */
export function connectionTo(
  service: Service,
  { caller, peer: role }: { caller: Role; peer: Role },
): ConnectionStandIn {
  let isOpen = true
  const { peer } = requestContext(role)
  let link: Promise<OutgoingConnection> | undefined
  const linked = () => {
    link ??= linkTo(service, { caller: requestContext(caller).peer, peer })
    return link
  }
  const connection = createStubInstance(OutgoingConnection)
  Object.defineProperties(connection, {
    isOpen: { get: () => isOpen },
    peer: { value: peer, configurable: true },
  })
  connection.destroy.callsFake(() => {
    isOpen = false
    void link?.then((one) => one.destroy())
  })
  connection.call.callsFake(async (method, body, options) =>
    (await linked()).call(method, body, options),
  )
  connection.open.callsFake((method, body, options) =>
    lateAnswer(async () => (await linked()).open(method, body, options)),
  )
  connection.relay.callsFake((method, body, options) =>
    lateAnswer(async () => (await linked()).relay(method, body, options)),
  )
  return connection
}

/** The same, but the other side does not answer until a test sets the answer. */
export function silentConnection(peer: Role): ConnectionStandIn {
  return connectionTo(new Service(), { caller: 'client', peer })
}
