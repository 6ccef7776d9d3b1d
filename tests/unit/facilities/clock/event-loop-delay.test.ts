import test from 'brittle'
import { EventLoopDelay } from '../../../../facilities/clock/event-loop-delay.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { until } from '../../../helpers/until.js'

const MINUTE_MS = 60_000

/** Keeps everything else from running. */
function block(durationMs: number): void {
  const endsAt = performance.now() + durationMs
  while (performance.now() < endsAt);
}

test('should report how long others had to wait, for a minute or two', async (t) => {
  const clock = new VirtualClock()
  const delay = new EventLoopDelay(clock)
  t.teardown(() => delay.stop())
  await until('a delay to be seen', () => {
    block(40)
    return delay.p99Ms() >= 10
  })
  await clock.advance(MINUTE_MS)
  t.ok(delay.p99Ms() >= 10, 'it is still told in the next minute')
  const before = delay.p99Ms()
  await clock.advance(MINUTE_MS)
  t.ok(delay.p99Ms() <= before)
})

test('should leave no timer when it is stopped', (t) => {
  const clock = new VirtualClock()
  const delay = new EventLoopDelay(clock)
  t.is(clock.pending, 1)
  t.ok(delay.p99Ms() >= 0)
  delay.stop()
  t.is(clock.pending, 0)
})
