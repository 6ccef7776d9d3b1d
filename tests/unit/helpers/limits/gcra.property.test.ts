import test from 'brittle'
import fc from 'fast-check'
import { createRateLimit, decideRate } from '../../../../helpers/limits/gcra.js'
import { ensure, holds } from '../../../helpers/property.js'

const limits = fc.record({
  perMinute: fc.oneof(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 1_000_000 })),
  burst: fc.integer({ min: 1, max: 20 }),
})
/** Time between requests: at once, about as often as allowed, seldom, or at the very limit. */
const pauses = fc.array(
  fc.record({
    ms: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.double({ min: 0, max: 2_000, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 120_000, noNaN: true }) },
    ),
    intervals: fc.nat(2),
    beyondUs: fc.integer({ min: -2, max: 2 }),
  }),
  { maxLength: 80 },
)

/**
 * Looks back over everything that was let pass: one more may, when no stretch of time that ends now
 * then holds more than the burst and one for every interval within it.
 */
function mayPass(
  passedUs: readonly number[],
  nowUs: number,
  { burst, intervalUs }: { burst: number; intervalUs: number },
): boolean {
  return passedUs.every((sinceUs, index) => {
    const requests = passedUs.length - index + 1
    return requests <= burst + Math.floor((nowUs - sinceUs) / intervalUs)
  })
}

test('should let pass exactly what a look back over all that passed allows, and say when to come back', async (t) => {
  await holds(
    t,
    fc.property(limits, pauses, ({ perMinute, burst }, times) => {
      const limit = createRateLimit(perMinute, burst)
      const reference = { burst, intervalUs: limit.intervalUs }
      const passedUs: number[] = []
      let state: number | undefined
      let nowMs = 0
      for (const pause of times) {
        const atLimitUs = pause.intervals * limit.intervalUs + pause.beyondUs
        nowMs += pause.intervals > 0 ? Math.max(0, atLimitUs) / 1000 : pause.ms
        const nowUs = Math.floor(nowMs * 1000)
        const decision = decideRate(limit, state, nowMs)
        const expected = mayPass(passedUs, nowUs, reference)
        ensure(decision.conforms === expected, `${decision.conforms} at ${nowMs} ms`)
        if (decision.conforms) {
          passedUs.push(nowUs)
          state = decision.theoreticalArrivalUs
        } else {
          const { retryAfterMs } = decision
          const thenUs = nowUs + retryAfterMs * 1000
          ensure(mayPass(passedUs, thenUs, reference), `not yet ${retryAfterMs} ms later`)
          ensure(!mayPass(passedUs, thenUs - 1000, reference), `before ${retryAfterMs} ms`)
        }
      }
    }),
    300,
  )
})
