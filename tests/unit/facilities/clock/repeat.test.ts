import test from 'brittle'
import { repeat } from '../../../../facilities/clock/repeat.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

test('should run once an interval when time goes on', async (t) => {
  const clock = new VirtualClock()
  let runs = 0
  repeat(clock, 100, () => {
    runs += 1
  })
  await clock.advance(99)
  t.is(runs, 0)
  await clock.advance(251)
  t.is(runs, 3)
})

test('should ask for the interval before each run when it is told how to', async (t) => {
  const clock = new VirtualClock()
  const intervals = [100, 300, 200]
  const times: number[] = []
  const timer = repeat(
    clock,
    () => intervals.shift() ?? 1_000,
    () => void times.push(clock.monotonic()),
  )
  await clock.advance(999)
  timer.cancel()
  t.alike(times, [100, 400, 600])
})

test('should wait for a slow run when the next one is due', async (t) => {
  const clock = new VirtualClock()
  let runs = 0
  let finish = () => {}
  repeat(clock, 100, () => {
    runs += 1
    return new Promise<void>((resolve) => {
      finish = resolve
    })
  })
  await clock.advance(1_000)
  t.is(runs, 1)
  finish()
  await clock.advance(0)
  await clock.advance(100)
  t.is(runs, 2)
})

test('should not run again when it was cancelled, even from within a run', async (t) => {
  const clock = new VirtualClock()
  let runs = 0
  const timer = repeat(clock, 100, () => {
    runs += 1
    timer.cancel()
  })
  await clock.advance(1_000)
  t.is(runs, 1)
  t.is(clock.pending, 0)
})
