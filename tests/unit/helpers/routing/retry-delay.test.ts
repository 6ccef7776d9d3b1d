import test from 'brittle'
import { retryDelayMs } from '../../../../helpers/routing/retry-delay.js'

const DELAYS = { firstMs: 100, mostMs: 1_000 }
const LARGEST_FRACTION = 1 - 2 ** -32

test('should double with each failure up to a limit, a quarter more or less', (t) => {
  const ranges = [1, 2, 3, 4, 5, 50, 5_000].map((failures) => [
    retryDelayMs(DELAYS, failures, 0),
    retryDelayMs(DELAYS, failures, LARGEST_FRACTION),
  ])
  t.alike(ranges, [
    [75, 125],
    [150, 250],
    [300, 500],
    [600, 1_000],
    [750, 1_250],
    [750, 1_250],
    [750, 1_250],
  ])
})

test('should never be shorter than what the other end named, and not the same for all', (t) => {
  for (const retryAfterMs of [0, 1, 40, 999, 60_000]) {
    for (const failures of [1, 3, 20]) {
      const least = retryDelayMs(DELAYS, failures, 0, retryAfterMs)
      const most = retryDelayMs(DELAYS, failures, LARGEST_FRACTION, retryAfterMs)
      t.ok(least >= retryAfterMs, `${least} of ${retryAfterMs} ms`)
      t.ok(most - least >= 24, `${least} to ${most} ms`)
      t.ok(most <= 1.25 * Math.max(1_000, retryAfterMs), `${most} of ${retryAfterMs} ms`)
    }
  }
})
