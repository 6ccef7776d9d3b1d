import test from 'brittle'
import type HyperDHT from 'hyperdht'
import { VirtualTime } from '../helpers/clock/virtual-time.js'
import { MemoryDht } from '../helpers/network/memory/memory-dht.js'
import { MemoryNetwork } from '../helpers/network/memory/memory-network.js'
import { MemoryStream } from '../helpers/network/memory/memory-stream.js'
import { newKeyPair } from '../helpers/network/mesh-authority.js'
import { SeededRandom } from '../helpers/seeded-random.js'
import { settle } from '../helpers/until.js'

/** Two hosts, one of which listens, and time that a test lets pass. */
async function scene(options: HyperDHT.ServerOptions = {}) {
  const time = new VirtualTime(1)
  const network = new MemoryNetwork(time, new SeededRandom(1))
  let ports = 0
  const host = (name: string) => {
    ports += 1
    const address = { host: '127.0.0.1', port: ports }
    return { name, address, lane: time.createLane(), isDead: false }
  }
  const [server, client] = [host('server'), host('client')]
  const keyPair = newKeyPair(new SeededRandom(2))
  const listening = new MemoryDht(network, server).createServer(options)
  const accepted: MemoryStream[] = []
  listening.on('connection', (stream: MemoryStream) => accepted.push(stream))
  await listening.listen(keyPair)
  const dht = new MemoryDht(network, client)
  return {
    time,
    network,
    server,
    client,
    accepted,
    /** Everything that happens until then. */
    async passUntil(atMs: number) {
      time.schedule(time.createLane(), Math.max(0, atMs - time.nowMs), () => undefined)
      while (time.nowMs < atMs) {
        time.runNext()
        await settle(1)
      }
    },
    dial(addresses: readonly HyperDHT.Address[] = []) {
      const dialled = dht.connect(keyPair.publicKey, {
        keyPair: newKeyPair(new SeededRandom(3)),
        relayAddresses: addresses,
      })
      if (!(dialled instanceof MemoryStream)) throw new Error('It dialled elsewhere')
      const received: string[] = []
      dialled.on('data', (bytes: Uint8Array) => received.push(Buffer.from(bytes).toString()))
      return { dialled, received }
    },
  }
}

test('should open both ends with the same handshake when a key is dialled', async (t) => {
  const { dial, passUntil, accepted } = await scene()
  const { dialled } = dial()
  await passUntil(50)
  t.ok(await dialled.opened)
  t.alike(accepted[0]?.handshakeHash, dialled.handshakeHash)
  t.alike(accepted[0]?.remotePublicKey, dialled.publicKey)
})

test('should deliver frames whole and in order', async (t) => {
  const { dial, passUntil, accepted, time } = await scene()
  const { received } = dial()
  await passUntil(50)
  for (let frame = 0; frame < 20; frame += 1) {
    accepted[0]?.write(Buffer.from(`frame ${frame}`))
    await passUntil(time.nowMs + 0.3)
  }
  await passUntil(200)
  t.alike(
    received,
    Array.from({ length: 20 }, (_, frame) => `frame ${frame}`),
  )
})

test('should deliver what was sent in a partition when it has healed', async (t) => {
  const { dial, passUntil, accepted, network } = await scene()
  const { received } = dial()
  await passUntil(50)
  network.partition(['client'])
  accepted[0]?.write(Buffer.from('one'))
  accepted[0]?.write(Buffer.from('two'))
  await passUntil(1_000)
  t.alike(received, [])
  network.heal()
  await passUntil(1_100)
  t.alike(received, ['one', 'two'])
})

test('should close the other end when one is destroyed, and not when its process is killed', async (t) => {
  const ended = await scene()
  const { dialled: reset } = ended.dial()
  await ended.passUntil(50)
  ended.accepted[0]?.destroy()
  await ended.passUntil(100)
  t.ok(reset.destroyed)

  const killed = await scene()
  const { dialled: silent } = killed.dial()
  await killed.passUntil(50)
  killed.network.kill(killed.server)
  await killed.passUntil(60_000)
  t.absent(silent.destroyed)
})

test('should stop the writer when the reader does not read', async (t) => {
  const { dial, passUntil, accepted } = await scene()
  const { dialled } = dial()
  await passUntil(50)
  dialled.pause()
  const frame = Buffer.alloc(64 * 1024)
  for (let frames = 0; frames < 20; frames += 1) accepted[0]?.write(frame)
  await passUntil(200)
  const waiting = accepted[0]?._writableState.buffered ?? 0
  t.ok(waiting > 10 * frame.byteLength, `${waiting} bytes wait`)
  dialled.resume()
  await passUntil(1_000)
  t.is(accepted[0]?._writableState.buffered, 0)
})

test('should fail after four seconds when nobody answers or the firewall refuses', async (t) => {
  const { dial, passUntil } = await scene({ firewall: () => true })
  const { dialled } = dial()
  await passUntil(3_900)
  t.absent(dialled.destroyed)
  await passUntil(4_100)
  t.ok(dialled.destroyed)
})

test('should find a key without its address only while the DHT answers', async (t) => {
  const { dial, passUntil, network, server } = await scene()
  network.isDhtUp = false
  const { dialled: unknown } = dial()
  const { dialled: known } = dial([server.address])
  await passUntil(50)
  t.ok(await known.opened)
  await passUntil(7_000)
  t.ok(unknown.destroyed)
})
