import test from 'brittle'
import fc from 'fast-check'
import {
  CandidateGroups,
  Place,
  reluctanceOf,
} from '../../../../helpers/routing/candidate-groups.js'
import {
  type CandidateLoad,
  expectedWaitMs,
  hasFreeSlot,
} from '../../../../helpers/routing/expected-wait.js'
import { ensure, holds } from '../../../helpers/property.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

const load: fc.Arbitrary<CandidateLoad> = fc.record({
  sentSince: fc.nat(3),
  reported: fc
    .record({
      isLoaded: fc.boolean(),
      slots: fc.nat(3),
      running: fc.nat(3),
      queued: fc.nat(2),
      queueLength: fc.nat(2),
      hindrance: fc.constantFrom(undefined, 'memory' as const, 'failure' as const),
    })
    .map((changes) => offeredModel('m', changes)),
})

interface Candidate {
  readonly place: Place<Candidate>
}

/** A candidate reports, or leaves. */
const event = fc.record({ candidate: fc.nat(12), load: fc.option(load, { nil: undefined }) })

test('should group every candidate by its last load, whatever was reported before', async (t) => {
  await holds(
    t,
    fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
      const groups = new CandidateGroups<Candidate>()
      const loads = new Map<Candidate, CandidateLoad>()
      const all = Array.from({ length: 13 }, () => ({ place: new Place<Candidate>() }))
      for (const { candidate: number, load } of events) {
        const candidate = all[number]
        if (candidate === undefined) continue
        if (load === undefined) {
          loads.delete(candidate)
          groups.remove(candidate)
        } else {
          loads.set(candidate, load)
          groups.put(candidate, load)
        }
        ensure(groups.size === loads.size, `${groups.size} of ${loads.size}`)
        const sound = [...loads].filter(([, { reported }]) => reported.hindrance !== 'failure')
        const expected = new Map(sound.length > 0 ? sound : loads)
        for (const { candidates, waitsMs, reluctances } of Object.values(groups.eligible)) {
          for (const [index, one] of candidates.entries()) {
            const its = loads.get(one)
            if (its === undefined) throw new Error('one that has left is there')
            ensure(waitsMs[index] === expectedWaitMs(its), 'it is compared by an old wait')
            ensure(reluctances[index] === reluctanceOf(its), 'it is compared by an old load')
          }
          const lengths = [candidates, waitsMs, reluctances].map(({ length }) => length)
          ensure(new Set(lengths).size === 1, 'what is compared is not what is there')
        }
        const [free, busy, loading, unloaded, refusing] = [
          groups.eligible.free.candidates,
          groups.eligible.busy.candidates,
          groups.eligible.loading.candidates,
          groups.eligible.unloaded.candidates,
          groups.eligible.refusing.candidates,
        ]
        const found = [...free, ...busy, ...loading, ...unloaded, ...refusing]
        ensure(found.length === expected.size, 'one is missing or there twice')
        ensure(
          found.every((one) => expected.has(one)),
          'one that failed, or has left, is eligible',
        )
        for (const [one, its] of expected) {
          const waits = Number.isFinite(expectedWaitMs(its))
          ensure(free.includes(one) === hasFreeSlot(its), 'free')
          ensure(refusing.includes(one) === (!hasFreeSlot(its) && !waits), 'refusing')
          ensure(!busy.includes(one) || its.reported.isLoaded, 'busy')
          ensure(![...loading, ...unloaded].includes(one) || !its.reported.isLoaded, 'to be loaded')
          const { running, queued } = its.reported
          const isIdle = running + queued + its.sentSince === 0
          ensure(!unloaded.includes(one) || isIdle, 'it has requests')
          ensure(!loading.includes(one) || !isIdle, 'it has no request')
        }
      }
    }),
    100,
  )
})
