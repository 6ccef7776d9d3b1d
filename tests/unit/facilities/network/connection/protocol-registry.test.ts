import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import type Protomux from 'protomux'
import {
  type AuthenticatedConnection,
  type ConnectionProtocol,
  ProtocolRegistry,
} from '../../../../../facilities/network/connection/protocol-registry.js'
import type { RefusedChannel } from '../../../../../facilities/network/watch/network-observer.js'
import {
  ECHO_PROTOCOL,
  echoProtocol,
  type HandChannel,
  openByHand,
} from '../../../../helpers/network/echo-channels.js'
import {
  type HostilePeer,
  idOf,
  openingOf,
  proveByHand,
  rpcRequest,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import type { NodeOptions } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import type { PipedStreams } from '../../../../helpers/network/piped-streams.js'
import { count, echo, sampleService } from '../../../../helpers/network/sample-service.js'
import { memoryStore } from '../../../../helpers/storage/memory-storage.js'
import { settle, until } from '../../../../helpers/until.js'

/** A connection between a worker and a member that is driven by hand. */
interface Scene {
  /** The channels of the member. */
  readonly mux: Protomux
  readonly piped: PipedStreams
  /** The channels that the worker refused. */
  readonly refused: RefusedChannel[]
  /** Checks that the worker still talks to the member. */
  stillTalks(): Promise<void>
}

interface SceneOptions extends Pick<NodeOptions, 'protocols'> {
  /** The role of the member that dials. */
  readonly role?: string
  /** What the member does on the connection before its hello. */
  readonly beforeHello?: (mux: Protomux) => Promise<void>
}

/** The member dials a gateway. */
async function dialledByHand(t: Test, options: SceneOptions = {}): Promise<Scene> {
  const mesh = new PipedMesh(t)
  const refused: RefusedChannel[] = []
  const events = { onChannelRefused: (channel: RefusedChannel) => void refused.push(channel) }
  const gateway = await mesh.node('gateway', { ...options, service: sampleService(), events })
  const identity = mesh.authority.identity(options.role ?? 'client')
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const piped = lastOf(mesh)
  const peer = await proveByHand(stream, identity, options.beforeHello)
  await until('the proof', () => gateway.node.connectionCounts.proved === 1)
  const stillTalks = async () => {
    const before = peer.responses.length
    const { header, body } = JSON.parse(openingOf('x', { text: 'still here?' }).toString())
    peer.request.send(rpcRequest(1, echo.name, Buffer.from(JSON.stringify({ header, body }))))
    await until('an answer', () => peer.responses.length > before)
  }
  return { mux: peer.mux, piped, refused, stillTalks }
}

/** The member is a gateway, and is dialled by a worker that answers calls of others. */
async function acceptedByHand(t: Test, options: SceneOptions = {}): Promise<Scene> {
  const mesh = new PipedMesh(t)
  const refused: RefusedChannel[] = []
  const events = { onChannelRefused: (channel: RefusedChannel) => void refused.push(channel) }
  const worker = await mesh.node('client', { ...options, service: sampleService(), events })
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  const proved = new Promise<HostilePeer>((resolve, reject) => {
    server.on('connection', (stream: HyperDHT.SecretStream) => {
      proveByHand(stream, identity, options.beforeHello).then(resolve, reject)
    })
  })
  // The dial then fails, too.
  proved.catch(() => undefined)
  const { signal } = new AbortController()
  const connection = await worker.node.dial(identity.keyPair.publicKey, [], signal)
  const peer = await proved
  const stillTalks = async () => {
    const before = peer.requests.length
    connection.call(echo, { text: 'still here?' }, mesh.call()).catch(() => undefined)
    await until('a call', () => peer.requests.length > before)
    t.ok(connection.isOpen)
  }
  return { mux: peer.mux, piped: lastOf(mesh), refused, stillTalks }
}

function lastOf({ network }: PipedMesh): PipedStreams {
  const piped = network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  return piped
}

const DIRECTIONS = { dialled: acceptedByHand, accepted: dialledByHand }

for (const [which, connect] of Object.entries(DIRECTIONS)) {
  test(`should reject what nobody offers, and nothing else, when a peer opens 300 channels on a connection that the worker ${which}`, async (t) => {
    const { mux, refused, stillTalks } = await connect(t, { protocols: [echoProtocol()] })
    const offered = openByHand(mux, ECHO_PROTOCOL)
    for (let round = 0; round < 3; round += 1) {
      const channels = Array.from({ length: 100 }, (_, index) =>
        openByHand(mux, `test/unknown-${index % 10}`, index < 10 ? null : idOf(index)),
      )
      // Messages that were sent before the rejection arrived are dropped.
      for (const channel of channels) channel.send('hello?')
      await until('the rejections', () => channels.every(({ state }) => state.isClosed))
      t.absent(channels.some(({ state }) => state.isOpen))
    }
    t.is(refused.length, 300)
    t.ok(refused.every(({ reason, protocol }) => `${reason} ${protocol}`.startsWith('not offered')))
    offered.send('and this one?')
    await until('its echo', () => offered.heard.length === 1)
    await stillTalks()
  })

  test(`should hold every channel until the hello is done when a peer opens it early on a connection that the worker ${which}`, async (t) => {
    const unknown: HandChannel[] = []
    const offered: HandChannel[] = []
    const states = () => [...unknown, ...offered].map(({ state }) => state.isOpen || state.isClosed)
    const { refused, stillTalks } = await connect(t, {
      protocols: [echoProtocol()],
      beforeHello: async (mux) => {
        // In one batch: its answer must not wait for the hello, or there would be no hello.
        mux.cork()
        for (let n = 0; n < 20; n += 1) unknown.push(openByHand(mux, 'test/unknown', idOf(n)))
        offered.push(openByHand(mux, ECHO_PROTOCOL, idOf(1)))
        mux.uncork()
        await settle(20)
        t.absent(states().includes(true), 'not before')
      },
    })
    await until('all answers', () => !states().includes(false))
    t.ok(unknown.every(({ state }) => state.isClosed && !state.isOpen))
    t.is(refused.length, 20)
    offered[0]?.send('early')
    await until('its echo', () => offered[0]?.heard[0] === 'early')
    await stillTalks()
  })

  test(`should close the connection when a peer opens more early channels than are held on a connection that the worker ${which}`, async (t) => {
    for (const [channels, isKept] of [
      [64, true],
      [65, false],
    ] as const) {
      let isOver = false
      const connected = connect(t, {
        beforeHello: async (mux) => {
          for (let n = 0; n < channels; n += 1) openByHand(mux, 'test/unknown', idOf(n))
          mux.stream.once('close', () => {
            isOver = true
          })
          await settle(20)
          if (!isKept) await until('the end of the connection', () => isOver)
        },
      }).then(
        () => true,
        () => false,
      )
      t.is(await connected, isKept, `${channels}`)
    }
  })
}

test('should reject a protocol when the role of the peer may not open it', async (t) => {
  const attached: string[] = []
  const protocol = echoProtocol({
    mayOpen: ({ certificate }) => certificate.roles.includes('gateway'),
    attach: ({ peer }) => void attached.push(peer.certificate.name),
  })
  const client = await dialledByHand(t, { protocols: [protocol] })
  const refused = openByHand(client.mux, ECHO_PROTOCOL)
  await until('the rejection', () => refused.state.isClosed)
  t.absent(refused.state.isOpen)
  t.alike(
    client.refused.map(({ protocol, reason, peer }) => [protocol, reason, peer.certificate.name]),
    [[ECHO_PROTOCOL, 'not allowed', 'client@test']],
  )
  t.alike(attached, [])
  await client.stillTalks()
  const gateway = await dialledByHand(t, { protocols: [protocol], role: 'gateway' })
  const allowed = openByHand(gateway.mux, ECHO_PROTOCOL)
  allowed.send('me?')
  await until('its echo', () => allowed.heard[0] === 'me?')
  t.alike(attached, ['gateway@test'])
})

test('should answer calls and streams only on connections that were accepted', async (t) => {
  const { mux, refused, stillTalks } = await acceptedByHand(t)
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1 }))
  await until('the rejection', () => hand.state.closed)
  t.alike(hand.heard, [])
  t.alike(
    refused.map(({ protocol, reason }) => [protocol, reason]),
    [['starling/stream', 'not claimed']],
  )
  await stillTalks()
})

test('should attach each protocol once and say who dialled when a connection begins', async (t) => {
  const mesh = new PipedMesh(t)
  const attached: string[] = []
  const protocol: ConnectionProtocol = {
    name: 'test/attached',
    mayOpen: () => true,
    attach: ({ isDialled, peer }: AuthenticatedConnection) =>
      void attached.push(`${peer.certificate.name} ${isDialled}`),
  }
  const protocols = [protocol]
  await mesh.connected(sampleService(), { gateway: { protocols }, client: { protocols } })
  await until('both ends', () => attached.length === 2)
  t.alike(attached.sort(), ['client@test false', 'gateway@test true'])
})

test('should replicate a core beside calls when a facility offers its replication', async (t) => {
  const stores = [memoryStore(), memoryStore()] as const
  t.teardown(async () => {
    for (const store of stores) await store.close()
  })
  const written = stores[0].get({ name: 'log' })
  await written.ready()
  await written.append(Array.from({ length: 100 }, (_, n) => Buffer.from(`block ${n}`)))
  const copy = stores[1].get({ key: written.key ?? new Uint8Array(32) })
  await copy.ready()
  const replication = (core: object): ConnectionProtocol => ({
    name: 'hypercore/alpha',
    mayOpen: ({ certificate }) => !certificate.roles.includes('processor'),
    attach: ({ mux }) => void Object(core).replicate(mux),
  })
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService(), {
    gateway: { protocols: [replication(written)] },
    client: { protocols: [replication(copy)] },
  })
  t.is(String(await copy.get(99)), 'block 99')
  await written.append([Buffer.from('later')])
  t.is(String(await copy.get(100)), 'later')
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
})

test('should refuse an offer when its name is taken, or connections may have begun', async (t) => {
  const registry = new ProtocolRegistry().offer(echoProtocol())
  await t.exception(() => registry.offer(echoProtocol()), /test\/echo is offered twice/)
  const { node } = await new PipedMesh(t).node('gateway', { service: sampleService() })
  await t.exception(
    () => node.protocols.offer(echoProtocol()),
    /test\/echo was offered after the endpoint was opened/,
  )
})
