import test, { type Test } from 'brittle'
import HyperDHT from 'hyperdht'
import { Presence } from '../../../../../facilities/network/discovery/presence.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import { PipedNetwork, query } from '../../../../helpers/network/piped-network.js'

const topic = Buffer.alloc(32, 1)
const INTERVAL_MS = 2_000

/** A worker that announces itself to a node that returns what a test says. */
function scene(t: Test) {
  const dht = new PipedNetwork().dht()
  const clock = new VirtualClock()
  const keyPair = newKeyPair()
  const own: HyperDHT.Peer = { publicKey: keyPair.publicKey, relayAddresses: [] }
  const seen = { topic: [own], byKey: [own] }
  const changes: (string | null)[] = []
  dht.lookup.callsFake(() => query([{ peers: seen.topic }]))
  dht.findPeer.callsFake(() => ({
    async *[Symbol.asyncIterator]() {
      for (const peer of seen.byKey) yield { peer }
    },
    finished: async () => undefined,
    destroy: () => undefined,
  }))
  const presence = new Presence({
    dht,
    topic,
    keyPair,
    addresses: () => [],
    bootstrap: '127.0.0.1:28737',
    clock,
    intervalMs: INTERVAL_MS,
    onChanged: (failure) => changes.push(failure === null ? null : failure.code),
  })
  t.teardown(() => presence.close())
  return { dht, clock, keyPair, own, seen, changes, presence }
}

/** As many others on the topic. */
function strangers(count: number): HyperDHT.Peer[] {
  return Array.from({ length: count }, () => ({
    publicKey: newKeyPair().publicKey,
    relayAddresses: [],
  }))
}

test('should announce itself by its role and by its key', async (t) => {
  const { dht, keyPair, presence } = scene(t)
  await presence.ready()
  const topics = dht.announce.getCalls().map(({ args }) => args[0])
  t.alike(topics, [topic, HyperDHT.hash(keyPair.publicKey)])
  await presence.close()
  t.is(dht.unannounce.callCount, 2)
})

test('should report nothing while the node returns its announcement', async (t) => {
  const { clock, changes, presence } = scene(t)
  await presence.ready()
  await clock.advance(60_000)
  t.is(presence.failure, null)
  t.alike(changes, [])
})

test('should say where it was not found after three lookups, and that it is found again', async (t) => {
  const { clock, own, seen, changes, presence } = scene(t)
  seen.topic = strangers(3)
  await presence.ready()
  await clock.advance(INTERVAL_MS)
  t.is(presence.failure, null, 'a node may have been restarted')
  await clock.advance(4 * INTERVAL_MS)
  t.is(presence.failure?.code, 'NOT_DISCOVERABLE')
  t.ok(presence.failure?.message.includes('the node at 127.0.0.1:28737 does not return'))
  await clock.advance(10 * INTERVAL_MS)
  t.alike(changes, ['NOT_DISCOVERABLE'], 'it is reported once')
  seen.topic = [...strangers(3), own]
  await clock.advance(INTERVAL_MS)
  t.is(presence.failure, null)
  t.alike(changes, ['NOT_DISCOVERABLE', null])
})

test('should report it when no node answers', async (t) => {
  const { dht, clock, presence } = scene(t)
  dht.lookup.throws(new Error('no node'))
  await presence.ready()
  await clock.advance(5 * INTERVAL_MS)
  t.is(presence.failure?.code, 'NOT_DISCOVERABLE')
})

test('should look itself up by its key when more are announced than a node returns', async (t) => {
  const { clock, seen, presence } = scene(t)
  seen.topic = strangers(20)
  await presence.ready()
  await clock.advance(30 * INTERVAL_MS)
  t.is(presence.failure, null, 'its key is known there')
  seen.byKey = strangers(1)
  await clock.advance(30 * INTERVAL_MS)
  t.is(presence.failure?.code, 'NOT_DISCOVERABLE')
})

test('should leave no timer behind', async (t) => {
  const { clock, presence } = scene(t)
  await presence.ready()
  await presence.close()
  t.is(clock.pending, 0)
})
