import test from 'brittle'
import { ProcessClock, VirtualTime } from '../helpers/clock/virtual-time.js'
import { SeededRandom } from '../helpers/seeded-random.js'

/** Runs all events. */
function runAll(time: VirtualTime): void {
  for (let runs = true; runs; ) runs = time.runNext()
}

test('should run events in the order of their times when they were scheduled in any order', (t) => {
  const time = new VirtualTime(1)
  const random = new SeededRandom(7)
  const ran: number[] = []
  for (let event = 0; event < 200; event += 1) {
    time.schedule(time.createLane(), random.below(50), () => ran.push(time.nowMs))
  }
  runAll(time)
  t.is(ran.length, 200)
  t.alike(
    ran,
    [...ran].sort((one, other) => one - other),
  )
  t.is(time.pending, 0)
})

test('should keep the order of one lane and let the seed decide between lanes', (t) => {
  const orders = [1, 2, 3, 4, 5, 6].map((seed) => {
    const time = new VirtualTime(seed)
    const lanes = [time.createLane(), time.createLane(), time.createLane()]
    const ran: string[] = []
    for (const step of ['a', 'b']) {
      for (const lane of lanes) time.schedule(lane, 5, () => ran.push(`${lane.id}${step}`))
    }
    runAll(time)
    for (const { id } of lanes) t.ok(ran.indexOf(`${id}a`) < ran.indexOf(`${id}b`))
    return ran.join()
  })
  t.ok(new Set(orders).size > 1)
})

test('should run nothing of a lane while it is paused', (t) => {
  const time = new VirtualTime(1)
  const lane = time.createLane()
  const ran: number[] = []
  time.schedule(lane, 10, () => ran.push(time.nowMs))
  time.schedule(lane, 40, () => ran.push(time.nowMs))
  const cancelled = time.schedule(lane, 20, () => t.fail('it was cancelled during the pause'))
  lane.pausedUntilMs = 30
  time.schedule(time.createLane(), 25, () => cancelled.cancel())
  runAll(time)
  t.alike(ran, [30, 40])
})

test('should run no timer when it was cancelled or its process was stopped', async (t) => {
  const time = new VirtualTime(1)
  const clock = new ProcessClock(time, time.createLane())
  const cancelled = clock.schedule(5, () => t.fail('it was cancelled'))
  cancelled.cancel()
  cancelled.cancel()
  clock.schedule(5, () => t.fail('the process was stopped'))
  t.is(clock.pending, 1)
  clock.stop()
  clock.schedule(5, () => t.fail('the process was stopped before'))
  runAll(time)
  t.is(clock.pending, 0)
  t.is(time.nowMs, 0)
})

test('should round delays as Node does', (t) => {
  const time = new VirtualTime(1)
  const clock = new ProcessClock(time, time.createLane(), -500)
  const ran: number[] = []
  for (const delayMs of [0, 0.4, 2.9]) clock.schedule(delayMs, () => ran.push(clock.monotonic()))
  runAll(time)
  t.alike(ran, [1, 1, 2])
  t.is(clock.now(), Date.UTC(2026, 0, 1) - 498)
})
