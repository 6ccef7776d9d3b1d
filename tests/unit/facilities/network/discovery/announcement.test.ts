import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import { Announcement, topicOf } from '../../../../../facilities/network/discovery/announcement.js'
import { ROLES } from '../../../../../helpers/identity/roles.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import { PipedNetwork, query } from '../../../../helpers/network/piped-network.js'
import { settle } from '../../../../helpers/until.js'

const topic = Buffer.alloc(32, 1)

function scene(t: Test) {
  const dht = new PipedNetwork().dht()
  const clock = new VirtualClock()
  const keyPair = newKeyPair()
  let addresses: HyperDHT.Address[] = [{ host: '127.0.0.1', port: 1 }]
  const announcement = new Announcement({
    dht,
    topic,
    keyPair,
    addresses: () => addresses,
    clock,
    intervalMs: 1_000,
  })
  t.teardown(() => announcement.close())
  const move = (port: number) => {
    addresses = [{ host: '127.0.0.1', port }]
  }
  return { dht, clock, keyPair, announcement, move }
}

test('should announce again with the addresses of then when an interval is over', async (t) => {
  const { dht, clock, keyPair, announcement, move } = scene(t)
  await announcement.ready()
  t.is(dht.announce.callCount, 1)
  const at = (port: number) => [{ host: '127.0.0.1', port }]
  t.alike(dht.announce.firstCall.args, [topic, keyPair, at(1), { clear: true }])
  await clock.advance(1_000)
  t.alike(dht.announce.secondCall.args, [topic, keyPair, at(1), { clear: false }])
  move(2)
  await clock.advance(1_000)
  t.alike(dht.announce.thirdCall.args, [topic, keyPair, at(2), { clear: true }])
})

test('should continue when the DHT fails for a while in any way', async (t) => {
  const { dht, clock, announcement } = scene(t)
  const failing = { ...query([]), finished: () => Promise.reject(new Error('no bootstrap node')) }
  dht.announce.onCall(0).returns(failing)
  dht.announce.onCall(1).throws(new Error('destroyed'))
  await announcement.ready()
  await clock.advance(2_000)
  await settle()
  t.is(dht.announce.callCount, 3)
})

test('should take the announcement back and leave no timer when it is closed', async (t) => {
  const { dht, clock, keyPair, announcement } = scene(t)
  await announcement.ready()
  dht.unannounce.rejects(new Error('no bootstrap node'))
  await announcement.close()
  t.alike(dht.unannounce.firstCall.args, [topic, keyPair])
  t.is(clock.pending, 0)
})

const secret = Buffer.alloc(32, 1)

test('should give each role of each mesh its own topic', (t) => {
  const secrets = [secret, Buffer.alloc(32, 2)]
  const topics = secrets.flatMap((of) => ROLES.map((role) => topicOf(of, role)))
  const distinct = new Set(topics.map((topic) => Buffer.from(topic).toString('hex')))
  t.is(distinct.size, 2 * ROLES.length)
  for (const topic of topics) t.is(topic.byteLength, 32)
})

test('should give the same topic when mesh and role are the same', (t) => {
  t.alike(topicOf(secret, 'gateway'), topicOf(Buffer.alloc(32, 1), 'gateway'))
})
