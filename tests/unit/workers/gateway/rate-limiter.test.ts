import test from 'brittle'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import { createRequestLimiter } from '../../../../workers/gateway/admission.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const MINUTE_MS = 60_000

function scene(changes: { perMinute?: number; burst?: number; maxUsers?: number } = {}) {
  const clock = new VirtualClock()
  const rateLimit = { perMinute: 10, maxUsers: 100, ...changes }
  const limiter = createRequestLimiter({ rateLimit, clock })
  /** How many of so many requests of a user pass. */
  const passing = (userId: string, requests: number) => {
    let passed = 0
    for (let request = 0; request < requests; request += 1) {
      try {
        limiter.admit(userId)
        passed += 1
      } catch (error) {
        if (!isStarlingError(error, 'RATE_LIMITED')) throw error
      }
    }
    return passed
  }
  return { clock, limiter, passing }
}

test('should admit 10 of 50 requests when they arrive at once', (t) => {
  const { passing } = scene()
  t.is(passing('usr_1', 50), 10)
  t.is(passing('usr_1', 50), 0)
})

test('should count each user separately', (t) => {
  const { passing } = scene()
  t.is(passing('usr_1', 50), 10)
  t.is(passing('usr_2', 50), 10)
})

test('should admit one more request every six seconds when ten per minute are allowed', async (t) => {
  const { passing, clock } = scene()
  passing('usr_1', 50)
  await clock.advance(5_999)
  t.is(passing('usr_1', 50), 0)
  await clock.advance(1)
  t.is(passing('usr_1', 50), 1)
  await clock.advance(MINUTE_MS)
  t.is(passing('usr_1', 50), 10, 'and all of them after a minute')
})

test('should name the time of the next accepted request when it refuses one', async (t) => {
  const { passing, clock, limiter } = scene()
  passing('usr_1', 10)
  await clock.advance(1_500)
  await t.exception(async () => limiter.admit('usr_1'), {
    code: 'RATE_LIMITED',
    retryable: true,
    retryAfterMs: 4_500,
    message: 'You may send 10 requests per minute; the next one is accepted in 4.5 s',
  })
})

test('should admit as many requests at once as the burst allows when it is set', async (t) => {
  const { passing, clock } = scene({ perMinute: 60, burst: 3 })
  t.is(passing('usr_1', 50), 3)
  await clock.advance(2_000)
  t.is(passing('usr_1', 50), 2)
})

test('should admit everything and track no user when no limit is set', (t) => {
  const { passing, limiter } = scene({ perMinute: 0, maxUsers: 1 })
  t.is(passing('usr_1', 1_000), 1_000)
  t.is(passing('usr_2', 1_000), 1_000)
  t.is(limiter.keys, 0)
})

test('should refund a request once when no processor could take it', (t) => {
  const { passing, limiter } = scene()
  const uncount = limiter.admit('usr_1')
  t.is(passing('usr_1', 50), 9)
  uncount()
  uncount()
  t.is(passing('usr_1', 50), 1)
})

test('should refund no more than the limit when time has already restored a request', async (t) => {
  const { passing, limiter, clock } = scene()
  // Somebody whose minute lasts longer keeps those who came later from being forgotten.
  passing('usr_busy', 10)
  const uncount = limiter.admit('usr_1')
  await clock.advance(6_000)
  t.is(passing('usr_1', 1), 1)
  uncount()
  t.is(passing('usr_1', 50), 9)
})

test('should forget a user when the limit is fully restored', async (t) => {
  const { limiter, clock } = scene()
  for (let user = 0; user < 100; user += 1) limiter.admit(`usr_${user}`)
  t.is(limiter.keys, 100)
  await clock.advance(6_000)
  limiter.admit('usr_new')
  t.is(limiter.keys, 1)
})

test('should keep no more users than its bound however many come', async (t) => {
  const { limiter, clock, passing } = scene({ maxUsers: 3 })
  for (const user of ['usr_1', 'usr_2', 'usr_3']) passing(user, 10)
  await t.exception(async () => limiter.admit('usr_4'), {
    code: 'OVERLOADED',
    retryAfterMs: MINUTE_MS,
  })
  t.is(passing('usr_1', 50), 0, 'and nobody gets a new burst by that')
  await clock.advance(MINUTE_MS)
  t.is(passing('usr_4', 50), 10)
  t.is(limiter.keys, 1)
})

test('should keep only the users of the last minute when new ones arrive all the time', async (t) => {
  const { limiter, clock, passing } = scene({ maxUsers: 1_000 })
  let most = 0
  for (let second = 0; second < 300; second += 1) {
    passing('usr_always', 50)
    passing(`usr_${second}`, 50)
    most = Math.max(most, limiter.keys)
    await clock.advance(1_000)
  }
  t.ok(most <= 62, `${most} users`)
})
