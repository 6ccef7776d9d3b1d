import test, { type Test } from 'brittle'
import {
  KnownPeers,
  MAX_PROVED_PER_ROLE,
  type PeerStore,
} from '../../../../../facilities/network/discovery/known-peers.js'
import {
  mergeRemembered,
  type RememberedPeer,
} from '../../../../../helpers/discovery/remembered-peers.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { newKeyPair } from '../../../../helpers/network/mesh-authority.js'

const { publicKey } = newKeyPair()
const HOME = { host: '127.0.0.1', port: 1 }
const ELSEWHERE = { host: '127.0.0.1', port: 2 }
const gateway = { role: 'gateway', publicKey, addresses: [HOME] } as const
const remembered: RememberedPeer = {
  role: 'gateway',
  publicKey: 'cd'.repeat(32),
  addresses: [HOME],
  provedAt: 1,
}

/** A store in memory that other processes share. */
class MemoryStore implements PeerStore {
  peers: readonly RememberedPeer[] = []
  merges = 0

  async load() {
    return this.peers
  }

  async merge(peers: readonly RememberedPeer[]) {
    this.merges += 1
    this.peers = mergeRemembered(this.peers, peers)
    return this.peers
  }
}

function scene(t: Test) {
  const clock = new VirtualClock()
  const store = new MemoryStore()
  const known = new KnownPeers({ clock, store })
  t.teardown(() => known.close())
  return { clock, store, known }
}

test('should know what was saved before, after it was opened', async (t) => {
  const { store, known } = scene(t)
  store.peers = [remembered]
  t.alike(known.known('gateway'), [])
  await known.ready()
  t.alike(known.known('gateway'), [
    { publicKey: Buffer.from(remembered.publicKey, 'hex'), addresses: [HOME] },
  ])
  t.alike(known.known('auth'), [])
})

test('should save several workers at once, a second after the first was proved', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  known.learn([gateway], 'proved')
  known.learn([{ ...gateway, role: 'auth' }], 'proved')
  t.is(store.merges, 0)
  await clock.advance(1_000)
  t.is(store.merges, 1)
  t.is(store.peers.length, 2)
})

test('should not save again when a worker is at the same address, until ten minutes have passed', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  known.learn([gateway], 'proved')
  await clock.advance(1_000)
  known.learn([gateway], 'proved')
  await clock.advance(60_000)
  t.is(store.merges, 1)
  known.learn([{ ...gateway, addresses: [ELSEWHERE] }], 'proved')
  await clock.advance(1_000)
  t.is(store.merges, 2)
  await clock.advance(600_000)
  known.learn([{ ...gateway, addresses: [ELSEWHERE] }], 'proved')
  await clock.advance(1_000)
  t.is(store.merges, 3)
})

test('should save unsaved changes when it is closed', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  known.learn([gateway], 'proved')
  await known.close()
  t.is(store.peers.length, 1)
  known.learn([{ ...gateway, role: 'auth' }], 'proved')
  t.is(clock.pending, 0)
})

test('should know what other processes have saved when it saves', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  store.peers = [remembered]
  let changes = 0
  known.on('changed', () => {
    changes += 1
  })
  known.learn([gateway], 'proved')
  t.is(changes, 1)
  await clock.advance(1_000)
  t.is(known.known('gateway').length, 2)
  t.is(changes, 2)
})

test('should replace the roster by a later one, and save none of it', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  const other = { ...gateway, publicKey: newKeyPair().publicKey }
  known.learn([gateway, other], 'roster')
  t.is(known.known('gateway').length, 2)
  known.learn([other], 'roster')
  t.alike(
    known.known('gateway'),
    [other].map(({ role: _, ...peer }) => peer),
  )
  await clock.advance(60_000)
  t.is(store.merges, 0)
})

test('should list a worker twice when the roster names another address than the one it was proved at', async (t) => {
  const { known } = scene(t)
  known.learn([gateway], 'proved')
  known.learn([gateway], 'roster')
  t.is(known.known('gateway').length, 1)
  known.learn([{ ...gateway, addresses: [ELSEWHERE] }], 'roster')
  t.alike(
    known.known('gateway').map(({ addresses }) => addresses),
    [[ELSEWHERE], [HOME]],
  )
})

test('should know a worker of the roster by its key alone, and by its address when it is proved', async (t) => {
  const { known } = scene(t)
  known.learn([{ ...gateway, addresses: [] }], 'roster')
  t.alike(
    known.known('gateway').map(({ addresses }) => addresses),
    [[]],
  )
  known.learn([gateway], 'proved')
  t.alike(
    known.known('gateway').map(({ addresses }) => addresses),
    [[], [HOME]],
  )
})

/** So many gateways with different keys. */
const gateways = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...gateway,
    publicKey: Buffer.from(n.toString(16).padStart(64, '0'), 'hex'),
  }))

test('should know 10,000 workers of a role when they were all authenticated', async (t) => {
  const { known } = scene(t)
  for (const one of gateways(10_000)) known.learn([one], 'proved')
  t.is(known.known('gateway').length, 10_000)
})

test('should forget the worker that was authenticated longest ago when it knows as many as it may', async (t) => {
  const { clock, known } = scene(t)
  const many = gateways(MAX_PROVED_PER_ROLE + 1)
  const [first, second] = many
  if (first === undefined || second === undefined) throw new Error('no gateways')
  known.learn(many.slice(0, -1), 'proved')
  await clock.advance(1)
  known.learn([first], 'proved')
  known.learn(many.slice(-1), 'proved')
  t.is(known.known('gateway').length, MAX_PROVED_PER_ROLE)
  t.is(known.knownAs('gateway', first.publicKey).length, 1, 'authenticated again')
  t.is(known.knownAs('gateway', second.publicKey).length, 0)
})

test('should say which worker is known anew, and nothing when only its time has changed', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  const changes: unknown[] = []
  known.on('changed', (entries) => changes.push(entries))
  known.learn([gateway], 'proved')
  t.alike(changes, [[gateway]])
  await clock.advance(1_000)
  // What it saved itself comes back from the store.
  t.is(store.merges, 1)
  t.is(changes.length, 1)
  store.peers = store.peers.map((peer) => ({ ...peer, provedAt: peer.provedAt + 1 }))
  await clock.advance(2_000)
  t.is(changes.length, 1)
})

test('should ignore proved workers without a usable address, and those of a roster beyond its bound', async (t) => {
  const { known } = scene(t)
  known.learn([{ ...gateway, addresses: [] }], 'proved')
  known.learn([{ ...gateway, addresses: [{ host: 'x', port: 1 }] }], 'proved')
  t.alike(known.known('gateway'), [])
  known.learn(gateways(1_100), 'roster')
  t.is(known.known('gateway').length, 1_024, 'as many as a roster lists')
})

test('should know within two seconds what another process has saved', async (t) => {
  const { clock, store, known } = scene(t)
  await known.ready()
  let changes = 0
  known.on('changed', () => {
    changes += 1
  })
  await clock.advance(10_000)
  t.is(changes, 0)
  store.peers = [remembered]
  await clock.advance(2_000)
  t.is(known.known('gateway').length, 1)
  await clock.advance(10_000)
  t.is(changes, 1)
  await known.close()
  t.is(clock.pending, 0)
})
