import test from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { ENTRIES_PER_PAGE } from '../../../../../helpers/discovery/roster-pages.js'
import { rosterProtocol } from '../../../../../helpers/protocol/roster-protocol.js'
import { callUnary, requestContext } from '../../../../helpers/network/call-service.js'
import { rosterSettings } from '../../../../helpers/network/mesh-authority.js'
import { PeersStandIn } from '../../../../helpers/network/peers-stand-in.js'
import {
  asked,
  memoryStore,
  RosterAuthority,
  RosterScene,
  rosterEntry,
  rosterOf,
} from '../../../../helpers/network/roster-scene.js'
import { rejectionOf, settle } from '../../../../helpers/until.js'

const MINUTE_MS = 60_000

test('should find the roster in the DHT, with all its pages, when a worker starts', async (t) => {
  const scene = new RosterScene(t)
  const [one, other] = [scene.worker(), scene.worker()]
  await one.ready()
  one.keeper.offer(scene.authority.sign(rosterOf(3 * ENTRIES_PER_PAGE), 4))
  await one.round()
  await other.ready()
  await settle()
  t.is(other.keeper.sequence, 4)
  t.is(other.keeper.entries.length, 3 * ENTRIES_PER_PAGE)
})

test('should bring the roster back within a round when the DHT has lost it', async (t) => {
  const scene = new RosterScene(t)
  const publicKey = new Uint8Array(32)
  const worker = scene.worker({ publicKey })
  await worker.ready()
  worker.keeper.offer(scene.authority.sign([{ publicKey, roles: ['gateway'] }, ...rosterOf(40)], 1))
  await worker.round()
  await scene.clock.advance(5_000)
  for (let time = 0; time < 3; time += 1) {
    scene.dht.restart()
    await scene.clock.advance(MINUTE_MS)
    t.is(scene.dht.mutable.size, 1, 'the first page')
    t.is(scene.dht.immutable.size, 1, 'the second')
  }
})

test('should never store a roster when the worker is a client', async (t) => {
  const scene = new RosterScene(t)
  const client = scene.worker({ publicKey: null })
  await client.ready()
  client.keeper.offer(scene.authority.sign(rosterOf(1), 1))
  await scene.clock.advance(3 * MINUTE_MS)
  t.is(scene.dht.mutable.size, 0)
})

test('should keep the highest sequence, whichever peer sends it', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker()
  await worker.ready()
  const [older, present, newer] = [1, 2, 3].map((sequence) =>
    scene.authority.sign(rosterOf(sequence), sequence),
  )
  if (!older || !present || !newer) throw new Error('three rosters')
  t.ok(worker.keeper.offer(present))
  t.absent(worker.keeper.offer(older))
  t.absent(worker.keeper.offer(present), 'the same')
  t.is(worker.keeper.entries.length, 2)
  t.ok(worker.keeper.offer(newer))
  t.alike(scene.rosters, [2, 3])
})

test('should ask each worker that it connects to, and another one each minute', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker({ publicKey: null })
  const peers = new PeersStandIn('gateway')
  worker.watch(peers)
  await worker.ready()
  let sequence = 7
  const peer = scene.peer(() => scene.authority.sign(rosterOf(2), sequence))
  peers.connect(peer)
  await settle()
  t.is(worker.keeper.sequence, 7)
  sequence = 8
  await scene.clock.advance(MINUTE_MS + 5_000)
  t.is(worker.keeper.sequence, 8)
})

test('should not ask a worker again before it has answered', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker({ publicKey: null })
  const peers = new PeersStandIn('gateway')
  worker.watch(peers)
  await worker.ready()
  const silent = scene.peer(() => null)
  silent.call.callsFake(() => new Promise(() => undefined))
  peers.connect(silent)
  await scene.clock.advance(120_000)
  t.is(asked(silent), 1)
})

test('should change nothing when a member sends an older or a forged roster', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker({ publicKey: null })
  const peers = new PeersStandIn('gateway')
  worker.watch(peers)
  await worker.ready()
  const genuine = scene.authority.sign(rosterOf(2), 5)
  worker.keeper.offer(genuine)
  peers.connect(scene.peer(() => scene.authority.sign([], 4)))
  // A member knows the secret, but not the roster key.
  const forger = new RosterAuthority()
  const forged = forger.sign([], 99)
  const liar = scene.peer(() => forged)
  peers.connect(liar)
  peers.connect(scene.peer(() => ({ ...genuine, sequence: 99 })))
  await settle()
  t.alike(worker.keeper.newest, genuine)
  t.is(scene.failures.length, 2, 'both forgers are reported')
  t.is(Object(scene.failures[0]).code, 'PROTOCOL_VIOLATION')
  peers.connect(liar)
  await settle()
  t.is(asked(liar), 1, 'a forger is not asked again at once')
})

test('should change nothing when the DHT returns an older, a forged or a damaged roster', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker()
  await worker.ready()
  const genuine = scene.authority.sign(rosterOf(2), 5)
  worker.keeper.offer(genuine)
  const at = Buffer.from(scene.authority.rosterKey.publicKey).toString('hex')
  const forged = new RosterAuthority().sign([], 99)
  for (const { sequence, signature, pages } of [
    scene.authority.sign([], 4),
    forged,
    { ...genuine, sequence: 99 },
    { ...genuine, sequence: 2 ** 60 },
    { ...genuine, sequence: 99, pages: [Buffer.alloc(1_500)] },
    { ...genuine, sequence: 99, pages: [Buffer.alloc(0)] },
  ]) {
    scene.dht.mutable.set(at, { seq: sequence, signature, value: pages[0] ?? Buffer.alloc(0) })
    await worker.round()
    t.alike(worker.keeper.newest, genuine)
  }
})

test('should use the pages that are there when the DHT has lost one of them', async (t) => {
  const scene = new RosterScene(t)
  const roster = scene.authority.sign(rosterOf(3 * ENTRIES_PER_PAGE), 1)
  const one = scene.worker()
  await one.ready()
  one.keeper.offer(roster)
  await one.round()
  const [lost] = [...scene.dht.immutable.keys()]
  scene.dht.immutable.delete(lost ?? '')
  const other = scene.worker({ publicKey: null })
  await other.ready()
  await settle()
  t.is(other.keeper.newest, null)
  t.is(scene.parts.length, 1)
  t.is((scene.parts[0] ?? 0) % ENTRIES_PER_PAGE, 0)
  await scene.clock.advance(2 * MINUTE_MS)
  t.is(other.keeper.sequence, 1, 'the other worker has stored it again')
})

test('should end a round when the DHT does not answer', async (t) => {
  const scene = new RosterScene(t)
  scene.dht.isSilent = true
  const worker = scene.worker()
  await worker.ready()
  worker.keeper.offer(scene.authority.sign(rosterOf(1), 1))
  let isOver = false
  const round = worker.round().then(() => {
    isOver = true
  })
  await scene.clock.advance(MINUTE_MS)
  t.ok(isOver)
  await round
})

test('should limit how often a peer is given the roster, and no other peer with it', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker()
  await worker.ready()
  const service = new Service()
  worker.answer(service)
  const context = (byte: number) => {
    const { peer } = requestContext('client')
    return requestContext('client', { peer: { ...peer, publicKey: Buffer.alloc(32, byte) } })
  }
  const ask = (byte: number, newerThan = 0) =>
    callUnary(service, rosterProtocol.newest, { newerThan }, context(byte))
  t.alike(await ask(1), {}, 'none is known')
  worker.keeper.offer(scene.authority.sign(rosterOf(1), 3))
  for (let i = 0; i < 100; i += 1) t.alike(await ask(1, 3), {}, 'nothing newer is not counted')
  for (let i = 0; i < 6; i += 1) t.is((await ask(1)).roster?.sequence, 3)
  t.is(Object(await rejectionOf(ask(1))).code, 'OVERLOADED')
  t.is((await ask(2)).roster?.sequence, 3, 'another peer')
})

test('should ask a peer a limited number of times when it connects again and again', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker({ publicKey: null })
  const peers = new PeersStandIn('gateway')
  worker.watch(peers)
  await worker.ready()
  const peer = scene.peer(() => null)
  for (let i = 0; i < 20; i += 1) {
    peers.connect(peer)
    await settle(20)
  }
  t.is(asked(peer), 6)
})

test('should keep the newest roster and start with it', async (t) => {
  const scene = new RosterScene(t)
  const store = memoryStore()
  const one = scene.worker({ store })
  await one.ready()
  one.keeper.offer(scene.authority.sign(rosterOf(2), 9))
  await one.close()
  const other = scene.worker({ store })
  await other.ready()
  t.is(other.keeper.sequence, 9)
})

test('should take over what another process of the home has kept', async (t) => {
  const scene = new RosterScene(t)
  const store = memoryStore()
  const worker = scene.worker({ store })
  await worker.ready()
  store.kept = scene.authority.sign(rosterOf(3), 12)
  worker.keeper.offer(scene.authority.sign(rosterOf(2), 9))
  await settle()
  t.is(worker.keeper.sequence, 12)
})

test('should report and ignore a kept roster of another mesh', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker({ store: memoryStore(new RosterAuthority().sign(rosterOf(2), 9)) })
  await worker.ready()
  t.is(worker.keeper.newest, null)
  t.is(scene.failures.length, 1)
})

test('should refuse a roster key that the mesh has not certified', async (t) => {
  const scene = new RosterScene(t)
  const { certificate } = rosterSettings(new RosterAuthority().root)
  t.exception(() => scene.worker({ certificate }), /not certified/)
})

test('should be listed when its key is, and leave no timer behind', async (t) => {
  const scene = new RosterScene(t)
  const worker = scene.worker()
  await worker.ready()
  const entry = rosterEntry('gateway')
  t.absent(worker.keeper.lists(entry.publicKey))
  worker.keeper.offer(scene.authority.sign([entry, ...rosterOf(3)], 1))
  t.ok(worker.keeper.lists(Buffer.from(entry.publicKey)))
  await worker.close()
  t.is(scene.clock.pending, 0)
})
