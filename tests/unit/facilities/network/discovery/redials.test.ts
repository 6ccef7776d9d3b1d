import test from 'brittle'
import type HyperDHT from 'hyperdht'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { sampleService } from '../../../../helpers/network/sample-service.js'
import { settle, until } from '../../../../helpers/until.js'

const CLIENTS = 10

test('should dial again at different moments when many were cut in one moment', async (t) => {
  const mesh = new PipedMesh(t)
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  server.on('connection', (stream: HyperDHT.SecretStream) => stream.destroy())
  const { publicKey } = identity.keyPair
  mesh.network.announce(mesh.topic('gateway'), { publicKey, relayAddresses: [] })
  for (let client = 0; client < CLIENTS; client += 1) {
    const peers = mesh.peers('gateway', await mesh.node('client'), {
      intervalMs: 60_000,
      random: { fraction: () => client / CLIENTS },
    })
    await peers.ready()
  }
  await settle(20)
  t.is(mesh.network.connections.length, CLIENTS)
  const dialled: number[] = []
  for (let passedMs = 0; passedMs < 1_450; passedMs += 50) {
    await mesh.time.advance(50)
    dialled.push(mesh.network.connections.length - CLIENTS)
  }
  t.is(dialled.at(-1), CLIENTS)
  const inOneMoment = dialled.map((count, index) => count - (dialled[index - 1] ?? 0))
  t.is(Math.max(...inOneMoment), 1, 'one after the other')
})

test('should dial again soon when a worker had no place, and not before it said', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', {
    service: sampleService(),
    limits: { maxConnections: 1, workerShare: 0 },
  })
  const first = await mesh.dial(await mesh.node('client'), gateway)
  const { publicKey } = gateway.identity.keyPair
  mesh.network.announce(mesh.topic('gateway'), { publicKey, relayAddresses: [] })
  const failures: unknown[] = []
  const peers = mesh.peers('gateway', await mesh.node('client'), {
    random: { fraction: () => 0 },
    onDialFailed: (error) => failures.push(Object(error).code),
  })
  await peers.ready()
  await until('the refusal', () => failures.length === 1)
  t.alike(failures, ['OVERLOADED'])
  first.destroy()
  await until('the free place', () => gateway.node.connectionCounts.proved === 0)
  await mesh.time.advance(990)
  await settle(10)
  t.is(peers.connections.length, 0)
  await mesh.time.advance(10)
  t.ok(await until('the connection', () => peers.connections[0]?.isOpen))
})
