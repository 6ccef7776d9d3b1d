import { EventEmitter } from 'node:events'
import { createStubInstance, type SinonStubbedInstance } from 'sinon'
import type { Peer, PeerSearch, UnreachedPeer } from '../../../facilities/network/calls/peers.js'
import { Service } from '../../../facilities/network/calls/service.js'
import { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { lateAnswer } from './answer-stand-in.js'
import { requestContext } from './call-service.js'
import { linkTo } from './service-link.js'

/** A connected worker without a network: a stub whose answers a test sets. */
export type ConnectionStandIn = SinonStubbedInstance<Peer & { destroy(): void }>

/** The workers of one role, which a test adds and removes. */
export class PeersStandIn extends EventEmitter implements PeerSearch {
  readonly role: Role
  /** Resolves the callers that wait for a survey. */
  survey: Promise<void> = Promise.resolve()
  /** Peers that are announced but not connected. */
  missed: UnreachedPeer[] = []
  readonly #open = new Set<ConnectionStandIn>()

  constructor(role: Role) {
    super()
    this.role = role
  }

  get connections(): ConnectionStandIn[] {
    return [...this.#open]
  }

  get unreached(): UnreachedPeer[] {
    return this.missed
  }

  async surveyed(): Promise<void> {
    await this.survey
  }

  connect(connection: ConnectionStandIn): void {
    this.#open.add(connection)
    this.emit('connected', connection)
  }

  lose(connection: ConnectionStandIn): void {
    connection.destroy()
    this.#open.delete(connection)
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
    identity: { value: peer, configurable: true },
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

/**
 * Connections that answer each call at once. They are copies of one stand-in: stubs of thousands would take
 * seconds.
 *
 * @param answer the answer of each one, by its number
 */
export function manyConnections(
  count: number,
  answer: (index: number) => unknown,
): ConnectionStandIn[] {
  const connection = silentConnection('processor')
  return Array.from({ length: count }, (_, index) =>
    Object.assign(Object.create(connection), {
      call: async () => answer(index),
      destroy: () => undefined,
    }),
  )
}
