import test from 'brittle'
import {
  createRateLimit,
  decideRate,
  isRateStateOver,
  type RateLimit,
} from '../../../../helpers/limits/gcra.js'

/** Asks at each of these times; says which requests conform. */
function decideAll(limit: RateLimit, timesMs: readonly number[]): boolean[] {
  let state: number | undefined
  return timesMs.map((nowMs) => {
    const decision = decideRate(limit, state, nowMs)
    if (decision.conforms) state = decision.theoreticalArrivalUs
    return decision.conforms
  })
}

/**
 * The same by a bucket that fills while time passes and gives one measure to each request: the other
 * form that the recommendation describes, with whole numbers of any size.
 */
function bucketAll(perMinute: number, burst: number, timesMs: readonly number[]): boolean[] {
  const measure = BigInt(Math.ceil(60_000_000 / perMinute))
  const full = measure * BigInt(burst)
  let level = full
  let lastUs: bigint | undefined
  return timesMs.map((nowMs) => {
    const nowUs = BigInt(Math.floor(nowMs * 1000))
    level += nowUs - (lastUs ?? nowUs)
    if (level > full) level = full
    lastUs = nowUs
    if (level < measure) return false
    level -= measure
    return true
  })
}

/** Numbers from 0 to 1 that look like chance and are the same each time. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('should let a burst pass at once and no more when all come together', (t) => {
  for (const [perMinute, burst] of [
    [10, 10],
    [7, 7],
    [7, 3],
    [1, 1],
    [60_000_000, 50],
    [999_999, 30],
  ] as const) {
    for (const nowMs of [0, 0.1 + 0.2, 1234.56789, 8.64e9]) {
      const times = Array.from({ length: 50 }, () => nowMs)
      const passed = decideAll(createRateLimit(perMinute, burst), times)
      t.is(passed.filter(Boolean).length, burst, `${burst} at ${perMinute} a minute, at ${nowMs}`)
      t.ok(passed.slice(0, burst).every(Boolean), 'the first of them')
    }
  }
})

test('should let all pass for ever when they come evenly at the rate', (t) => {
  const limit = createRateLimit(10, 1)
  const times = Array.from({ length: 1_000 }, (_, index) => 5 + index * 6_000)
  t.ok(decideAll(limit, times).every(Boolean))
  t.alike(decideAll(limit, [0, 5_999.9, 6_000, 6_000]), [true, false, true, false])
})

test('should name the first moment at which a request conforms when it refuses one', (t) => {
  for (const perMinute of [10, 7, 13, 600]) {
    const limit = createRateLimit(perMinute, 2)
    const random = sequence(perMinute)
    let state: number | undefined
    let nowMs = 100
    for (let request = 0; request < 500; request += 1) {
      nowMs += random() * 8_000
      const decision = decideRate(limit, state, nowMs)
      if (decision.conforms) {
        state = decision.theoreticalArrivalUs
        continue
      }
      const { retryAfterMs } = decision
      t.ok(Number.isInteger(retryAfterMs) && retryAfterMs > 0)
      t.ok(decideRate(limit, state, nowMs + retryAfterMs).conforms, 'then')
      t.absent(decideRate(limit, state, nowMs + retryAfterMs - 1.001).conforms, 'and not before')
    }
  }
})

test('should decide as a bucket does when requests come at any times', (t) => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = sequence(seed)
    const perMinute = 1 + Math.floor(random() * 100)
    const burst = 1 + Math.floor(random() * 20)
    let nowMs = random() * 1e6
    const times = Array.from({ length: 300 }, () => {
      nowMs += random() < 0.7 ? 0 : random() * ((2 * 60_000) / perMinute)
      return nowMs
    })
    const passed = decideAll(createRateLimit(perMinute, burst), times)
    if (passed.join() !== bucketAll(perMinute, burst, times).join()) t.fail(`seed ${seed}`)
  }
  t.pass()
})

test('should never let more pass than the burst and what the time allows, whatever the times', (t) => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = sequence(seed)
    const [perMinute, burst] = [1 + Math.floor(random() * 60), 1 + Math.floor(random() * 5)]
    let nowMs = 0
    const times = Array.from({ length: 200 }, () => {
      nowMs += random() * random() * 5_000
      return nowMs
    })
    const decisions = decideAll(createRateLimit(perMinute, burst), times)
    const passed = times.filter((_, index) => decisions[index])
    for (const [first, fromMs] of passed.entries()) {
      for (const [further, toMs] of passed.slice(first).entries()) {
        const allowed = burst + Math.floor(((toMs - fromMs) * perMinute) / 60_000 + 1e-6)
        if (further + 1 > allowed) t.fail(`${further + 1} of ${allowed}, seed ${seed}`)
      }
    }
  }
  t.pass()
})

test('should say that a state is over when its owner is as free as at the beginning', (t) => {
  const limit = createRateLimit(10, 10)
  const first = decideRate(limit, undefined, 1_000)
  if (!first.conforms) return t.fail('the first request is refused')
  t.absent(isRateStateOver(first.theoreticalArrivalUs, 6_999))
  t.ok(isRateStateOver(first.theoreticalArrivalUs, 7_000))
  t.alike(
    decideRate(limit, first.theoreticalArrivalUs, 7_000),
    decideRate(limit, undefined, 7_000),
    'forgetting it changes nothing',
  )
})
