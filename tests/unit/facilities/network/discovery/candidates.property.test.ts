import test from 'brittle'
import fc from 'fast-check'
import { createStubInstance } from 'sinon'
import { OutgoingConnection } from '../../../../../facilities/network/connection/outgoing-connection.js'
import {
  type Candidate,
  Candidates,
  isKnownWorker,
} from '../../../../../facilities/network/discovery/candidates.js'
import { ensure, holds } from '../../../../helpers/property.js'
import { SeededRandom } from '../../../../helpers/seeded-random.js'

const keyOf = (n: number) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex')
const addressOf = (n: number) => [{ host: '127.0.0.1', port: n + 1 }]

/** Something that happens to the candidates. */
const event = fc.oneof(
  fc.record({ kind: fc.constant('hear' as const), key: fc.nat(900), at: fc.nat(3) }),
  fc.record({ kind: fc.constant('adopt' as const), key: fc.nat(300), count: fc.nat(40) }),
  fc.record({ kind: fc.constant('dial' as const), after: fc.nat(1_000) }),
  fc.record({ kind: fc.constant('end' as const), fails: fc.boolean() }),
)

test('should keep its bounds and forget no known worker, whatever happens', async (t) => {
  await holds(
    t,
    fc.property(fc.array(event, { maxLength: 100, size: 'max' }), fc.nat(), (events, seed) => {
      const candidates = new Candidates(new SeededRandom(seed))
      // More than there is room for, so that the bound is met.
      for (let key = 1_000; key < 1_300; key += 1) candidates.hear(keyOf(key), addressOf(0))
      let known: number[] = []
      let now = 0
      for (const happened of events) {
        if (happened.kind === 'hear') candidates.hear(keyOf(happened.key), addressOf(happened.at))
        if (happened.kind === 'adopt') {
          known = Array.from({ length: happened.count }, (_, index) => happened.key + index)
          const peers = known.map((key) => ({ publicKey: keyOf(key), addresses: addressOf(5) }))
          candidates.adopt(peers)
        }
        if (happened.kind === 'dial') {
          now += happened.after
          for (const route of candidates.due(now)) {
            ensure(route.attempt === null && route.retryAt <= now, 'it is not due')
            const cancel = new AbortController()
            route.attempt = { cancel, isMember: undefined, isSlow: false, isTimedOut: false }
          }
        }
        const all = [...candidates]
        const dials = all.flatMap(({ routes }) => routes.filter(({ attempt }) => attempt !== null))
        ensure(dials.length <= 16, `${dials.length} dials`)
        const keys = new Set(all.map(({ publicKey }) => Buffer.from(publicKey).toString('hex')))
        ensure(
          known.every((key) => keys.has(keyOf(key).toString('hex'))),
          'a known worker was forgotten',
        )
        if (happened.kind !== 'end') continue
        for (const route of dials) {
          route.attempt = null
          route.failures = happened.fails ? route.failures + 1 : 0
          route.retryAt = now + 500
        }
      }
      const unknown = [...candidates].filter((candidate) => !isKnownWorker(candidate))
      ensure(unknown.length <= 256, `${unknown.length} unknown keys`)
    }),
    20,
  )
})

test('should count no connected key among the unknown ones that it may keep', (t) => {
  const candidates = new Candidates(new SeededRandom(1))
  const connection = createStubInstance(OutgoingConnection)
  const connected = new Set<Candidate>()
  for (let key = 0; key < 300; key += 1) {
    candidates.hear(keyOf(key), addressOf(0))
    for (const candidate of candidates) {
      if (connected.has(candidate)) continue
      candidates.connect(candidate, connection)
      connected.add(candidate)
    }
  }
  candidates.hear(keyOf(1_000), addressOf(0))
  t.is([...candidates].length, 301)
  t.is(candidates.connections.length, 300)
  t.is(candidates.due(0).length, 1, 'only what is not connected is dialled')
  for (const candidate of connected) candidates.disconnect(candidate)
  t.is([...candidates].length, 256)
  t.is(candidates.connections.length, 0)
})

test('should give unknown keys half of the dials, and all others to known workers', (t) => {
  const candidates = new Candidates(new SeededRandom(1))
  for (let key = 0; key < 100; key += 1) candidates.hear(keyOf(key), addressOf(0))
  t.is(candidates.due(0).length, 8)
  const known = Array.from({ length: 20 }, (_, key) => ({
    publicKey: keyOf(500 + key),
    addresses: addressOf(0),
  }))
  candidates.adopt(known)
  t.ok(candidates.due(0).every(({ isKnown }) => isKnown))
  t.is(candidates.due(0).length, 16)
  for (const { routes } of candidates)
    for (const route of routes) if (route.isKnown) route.failures = 1
  const groups = candidates.due(0).map(({ isKnown }) => isKnown)
  t.alike(groups, [...Array(8).fill(true), ...Array(8).fill(false)], 'the dead leave a part')
})

test('should forget and dial unknown keys at random, so that each has the same chance', (t) => {
  const dialled = new Set<string>()
  const kept: number[] = []
  const sizes = new Set<number>()
  for (let seed = 1; seed <= 60; seed += 1) {
    const candidates = new Candidates(new SeededRandom(seed * 7919))
    for (let key = 0; key < 400; key += 1) candidates.hear(keyOf(key), addressOf(0))
    const keys = [...candidates].map(({ publicKey }) =>
      Number(`0x${Buffer.from(publicKey).toString('hex')}`),
    )
    sizes.add(keys.length)
    kept.push(keys.filter((key) => key < 100).length)
    const [first] = candidates.due(0)
    if (first) dialled.add(Buffer.from(first.candidate.publicKey).toString('hex'))
  }
  t.alike([...sizes], [256])
  t.ok(dialled.size > 40, `${dialled.size} different keys are dialled first`)
  t.ok(
    kept.every((count) => count > 10),
    'those that came first are not all forgotten',
  )
  t.ok(
    kept.every((count) => count < 100),
    'nor are they all kept',
  )
})
