import test from 'brittle'
import fc from 'fast-check'
import {
  type CandidateLoad,
  expectedWaitMs,
  hasFreeSlot,
  type ReportedLoad,
  relativeLoad,
} from '../../../../helpers/routing/expected-wait.js'
import { ensure, holds } from '../../../helpers/property.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

/** A processor with four slots, answers of eight seconds, and the model in memory. */
function load(changes: Partial<ReportedLoad> = {}, sentSince = 0): CandidateLoad {
  return { reported: offeredModel('m', { answerMs: 8_000, ...changes }), sentSince }
}

test('should be nothing while a slot is free', (t) => {
  for (const running of [0, 1, 3]) {
    t.is(expectedWaitMs(load({ running })), 0)
    t.ok(hasFreeSlot(load({ running })))
  }
  t.absent(hasFreeSlot(load({ running: 4 })))
  t.absent(hasFreeSlot(load({ running: 3 }, 1)), 'what was sent since the report counts')
  t.absent(hasFreeSlot(load({ isLoaded: false })))
})

test('should be as long as it takes until enough answers have ended', (t) => {
  t.is(expectedWaitMs(load({ running: 4 })), 2_000, 'one of four slots every two seconds')
  t.is(expectedWaitMs(load({ running: 4, queued: 6 })), 14_000)
  t.is(expectedWaitMs(load({ running: 4, queued: 4 }, 2)), 14_000)
  t.is(expectedWaitMs(load({ running: 1, slots: 1 })), 8_000)
  t.ok(expectedWaitMs({ reported: offeredModel('m', { running: 4 }), sentSince: 0 }) > 0)
})

test('should count loading, and what it costs others to load again', (t) => {
  const cold = { isLoaded: false, loadMs: 3_000 }
  t.is(expectedWaitMs(load(cold)), 3_000)
  t.is(expectedWaitMs(load({ ...cold, displacedMs: 5_000 })), 8_000)
  t.is(expectedWaitMs(load(cold, 4)), 5_000, 'others wait for the same load')
})

test('should be infinite when the request would be refused', (t) => {
  t.is(expectedWaitMs(load({ running: 4, queued: 2, queueLength: 2 })), Number.POSITIVE_INFINITY)
  t.is(expectedWaitMs(load({ running: 4, queued: 1, queueLength: 2 }, 1)), Number.POSITIVE_INFINITY)
  const hindered = { isLoaded: false, hindrance: 'memory' } as const
  t.is(expectedWaitMs(load(hindered)), Number.POSITIVE_INFINITY)
})

test('should never get shorter with one more request, and count requests by slots', async (t) => {
  await holds(
    t,
    fc.property(
      fc.record({
        slots: fc.nat(8),
        running: fc.nat(8),
        queued: fc.nat(70),
        queueLength: fc.nat(70),
        answerMs: fc.nat(100_000),
        loadMs: fc.nat(60_000),
        displacedMs: fc.nat(60_000),
        isLoaded: fc.boolean(),
      }),
      fc.nat(20),
      (changes, sentSince) => {
        const waitMs = expectedWaitMs(load(changes, sentSince))
        ensure(waitMs >= 0, 'no wait is negative')
        ensure(expectedWaitMs(load(changes, sentSince + 1)) >= waitMs, 'one more waits no less')
        const more = load(changes, sentSince + 1)
        ensure(relativeLoad(more) > relativeLoad(load(changes, sentSince)), 'and loads more')
      },
    ),
  )
})
