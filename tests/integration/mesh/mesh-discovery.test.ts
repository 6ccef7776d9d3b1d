import test from 'brittle'
import { LocalMesh, occupyUdpPort } from '../../helpers/network/local-mesh.js'
import { firstConnection } from '../../helpers/network/mesh-fixture.js'
import { echo, sampleService } from '../../helpers/network/sample-service.js'
import { until } from '../../helpers/until.js'

test('should find each other when the client starts first', async (t) => {
  const mesh = await LocalMesh.open(t)
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  await mesh.announced('gateway', { service: sampleService() })
  const connection = await firstConnection(peers, 2_000)
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
})

test('should find each other when both start before there is a bootstrap node', async (t) => {
  const mesh = await LocalMesh.open(t, { bootstrap: false })
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  await mesh.bootstrap()
  await mesh.announced('gateway', { service: sampleService() })
  t.ok((await firstConnection(peers, 4_500)).isOpen)
})

test('should find every worker of the role and none of another when there are several', async (t) => {
  const mesh = await LocalMesh.open(t)
  const gateways = [1, 2, 3].map(() => mesh.announced('gateway', { service: sampleService() }))
  await Promise.all([...gateways, mesh.announced('processor', { service: sampleService() })])
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  await until('three connections', () => peers.connections.length === 3)
  t.ok(peers.connections.every(({ identity }) => identity.certificate.roles.includes('gateway')))
})

test('should not find the workers of another mesh when they share the network', async (t) => {
  const mesh = await LocalMesh.open(t)
  const other = await LocalMesh.open(t, { port: mesh.port })
  await other.announced('gateway', { service: sampleService() })
  const own = await mesh.announced('gateway', { service: sampleService() })
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  const connection = await firstConnection(peers)
  t.alike(connection.identity.publicKey, own.identity.keyPair.publicKey)
  t.is(peers.connections.length, 1)
})

test('should connect again within three seconds when a gateway returns with the same key on another port', async (t) => {
  const mesh = await LocalMesh.open(t)
  const identity = mesh.authority.identity('gateway')
  const first = await mesh.announced('gateway', { service: sampleService(), identity })
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  const before = await firstConnection(peers)
  const { port } = first.dht.address()
  // As kill -9 does: nobody is told, the announcement stays.
  await first.dht.destroy({ force: true })
  await occupyUdpPort(t, port)
  const killedAt = performance.now()
  const second = await mesh.announced('gateway', { service: sampleService(), identity })
  t.not(second.dht.address().port, port)
  const after = await until('a new connection', () =>
    peers.connections.find((connection) => connection !== before),
  )
  const elapsedMs = Math.round(performance.now() - killedAt)
  t.ok(elapsedMs < 3_000, `${elapsedMs} ms`)
  t.alike(await after.call(echo, { text: 'back' }, mesh.call()), { text: 'back' })
})

test('should have one bootstrap node when many workers start at the same moment', async (t) => {
  const mesh = await LocalMesh.open(t, { bootstrap: false })
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => mesh.bootstrap()))
  t.is(all.filter(({ isHolder }) => isHolder).length, 1)
})
