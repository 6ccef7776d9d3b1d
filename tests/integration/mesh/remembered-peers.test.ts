import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import { KnownPeers } from '../../../facilities/network/discovery/known-peers.js'
import { LocalMesh, occupyUdpPort } from '../../helpers/network/local-mesh.js'
import { newKeyPair } from '../../helpers/network/mesh-authority.js'
import { firstConnection } from '../../helpers/network/mesh-fixture.js'
import { echo, sampleService } from '../../helpers/network/sample-service.js'
import { until } from '../../helpers/until.js'

const SQUATTERS = 40

/** A gateway that somebody was connected to. What they know of it is all that is left: no DHT finds it again. */
async function scene(t: Test) {
  const mesh = await LocalMesh.open(t, { bootstrap: false })
  const bootstrap = await mesh.bootstrap()
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const known = new KnownPeers({ clock: mesh.clock, store: null })
  const { publicKey } = gateway.identity.keyPair
  known.learn([{ role: 'gateway', publicKey, addresses: gateway.node.addresses }], 'roster')
  const first = mesh.peers('gateway', await mesh.node('client'), { known })
  await first.ready()
  await firstConnection(first)
  known.learn([], 'roster')
  await first.close()
  return { mesh, bootstrap, known, gateway }
}

/** A client that starts now connects and is served. */
async function isServed(t: Test, mesh: LocalMesh, known: KnownPeers): Promise<void> {
  const peers = mesh.peers('gateway', await mesh.node('client'), { known })
  await peers.ready()
  const connection = await firstConnection(peers, 1_500)
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
}

test('should connect to a remembered worker when there is no bootstrap node', async (t) => {
  const { mesh, bootstrap, known } = await scene(t)
  await bootstrap.close()
  await isServed(t, mesh, known)
})

test('should connect to a remembered worker when something else holds the bootstrap port', async (t) => {
  const { mesh, bootstrap, known } = await scene(t)
  await bootstrap.close()
  await occupyUdpPort(t, mesh.port)
  await isServed(t, mesh, known)
})

test('should connect to a remembered worker and find a new one when silent keys crowd the topic', async (t) => {
  const { mesh, known } = await scene(t)
  const dht = mesh.dht()
  let dials = 0
  for (let count = 0; count < SQUATTERS; count += 1) {
    const keyPair = newKeyPair()
    const server = dht.createServer({})
    server.on('connection', (stream: HyperDHT.SecretStream) => {
      dials += 1
      stream.on('error', () => {})
      t.teardown(() => stream.destroy(), { order: -1 })
    })
    await server.listen(keyPair)
    await dht.announce(mesh.topic('gateway'), keyPair, server.relayAddresses).finished()
  }
  await isServed(t, mesh, known)
  const peers = mesh.peers('gateway', await mesh.node('client'), { known })
  await peers.ready()
  await until('the silent keys to be dialled', () => dials > 8)
  await mesh.announced('gateway', { service: sampleService() })
  await until('both gateways', () => peers.connections.length === 2)
})
