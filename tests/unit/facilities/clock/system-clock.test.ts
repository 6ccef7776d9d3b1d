import test from 'brittle'
import { SystemClock, sleepWith } from '../../../../facilities/clock/system-clock.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { rejectionOf } from '../../../helpers/until.js'

test('should resolve when the time is over', async (t) => {
  const clock = new VirtualClock()
  let awake = false
  void sleepWith(clock, 100).then(() => {
    awake = true
  })
  await clock.advance(99)
  t.absent(awake)
  await clock.advance(1)
  t.ok(awake)
})

test('should reject at once and leave no timer when it is aborted', async (t) => {
  const clock = new VirtualClock()
  const controller = new AbortController()
  const asleep = rejectionOf(sleepWith(clock, 100, controller.signal))
  const reason = new Error('wake up')
  controller.abort(reason)
  t.is(await asleep, reason)
  t.is(clock.pending, 0)
  t.is(await rejectionOf(sleepWith(clock, 100, AbortSignal.abort(reason))), reason)
})

test('should make a scheduled call unless it is cancelled when the real time comes', async (t) => {
  const clock = new SystemClock()
  const calls: string[] = []
  clock.schedule(0, () => calls.push('cancelled')).cancel()
  await new Promise<void>((resolve) => {
    clock.schedule(1, () => {
      calls.push('made')
      resolve()
    })
  })
  await clock.sleep(0)
  t.alike(calls, ['made'])
})

test('should return wall-clock and monotonic time', (t) => {
  const clock = new SystemClock()
  const before = clock.monotonic()
  t.ok(clock.now() > Date.UTC(2024, 0, 1))
  t.ok(clock.monotonic() >= before)
})
