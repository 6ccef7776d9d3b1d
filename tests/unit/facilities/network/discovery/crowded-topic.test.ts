import test from 'brittle'
import {
  Candidates,
  isKnownWorker,
} from '../../../../../facilities/network/discovery/candidates.js'
import { redialDelayMs } from '../../../../../helpers/discovery/dial-policy.js'
import { SeededRandom } from '../../../../helpers/seeded-random.js'

const SEEDS = 10
const TICK_MS = 100
const LOOK_MS = 1_000
/** How long a dial to a key that says nothing takes. */
const SILENT_DIAL_MS = 1_500
const WORKER = keyOf(0)

function keyOf(n: number): Uint8Array {
  return Buffer.from(n.toString(16).padStart(64, '0'), 'hex')
}

/**
 * How long it takes until a worker is dialled that is as unknown as all other keys on its topic, which all say
 * nothing.
 *
 * @param topic the keys that a look at that time finds
 * @returns milliseconds
 */
function timeToDial(seed: number, topic: (lookMs: number) => Uint8Array[]): number {
  const random = new SeededRandom(seed * 7919)
  const candidates = new Candidates(random)
  const ends = new Map<object, number>()
  for (let now = 0; now < 3_600_000; now += TICK_MS) {
    if (now % LOOK_MS === 0) {
      for (const key of topic(now)) candidates.hear(key, [{ host: '127.0.0.1', port: 1 }])
    }
    for (const { routes, ...candidate } of candidates) {
      for (const route of routes) {
        if (route.attempt === null || (ends.get(route) ?? now) > now) continue
        route.attempt = null
        const isKnown = isKnownWorker({ routes, ...candidate })
        const { failures } = route
        const failure = { code: 'HELLO_FAILED', isStranger: true, isKnown, failures } as const
        route.retryAt = now + redialDelayMs(failure, random.fraction())
        route.failures += 1
      }
    }
    for (const route of candidates.due(now)) {
      if (Buffer.from(WORKER).equals(route.candidate.publicKey)) return now
      const cancel = new AbortController()
      route.attempt = { cancel, isMember: undefined, isSlow: false, isTimedOut: false }
      ends.set(route, now + SILENT_DIAL_MS)
    }
  }
  return Infinity
}

function slowest(topic: (lookMs: number) => Uint8Array[]): number {
  const times = Array.from({ length: SEEDS }, (_, seed) => timeToDial(seed + 1, topic))
  return Math.max(...times) / 1_000
}

test('should dial an unknown worker within 40 seconds when 200 silent keys are announced', (t) => {
  const squatters = Array.from({ length: 200 }, (_, index) => keyOf(index + 1))
  const seconds = slowest(() => [...squatters, WORKER])
  t.ok(seconds <= 40, `${seconds} s`)
})

test('should dial an unknown worker within 40 seconds when it comes after 200 silent keys', (t) => {
  const squatters = Array.from({ length: 200 }, (_, index) => keyOf(index + 1))
  const seconds = slowest((lookMs) => (lookMs < 20_000 ? squatters : [...squatters, WORKER]))
  t.ok(seconds - 20 <= 40, `${seconds - 20} s`)
})

test('should dial an unknown worker within five minutes when 40 new keys are announced in each second', (t) => {
  const seconds = slowest((lookMs) => {
    const first = (lookMs / 1_000) * 40 + 1
    return [...Array.from({ length: 40 }, (_, index) => keyOf(first + index)), WORKER]
  })
  t.ok(seconds <= 300, `${seconds} s`)
})
