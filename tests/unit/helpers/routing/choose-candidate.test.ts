import test from 'brittle'
import { CandidateGroups, Place } from '../../../../helpers/routing/candidate-groups.js'
import {
  chooseCandidate,
  MAX_COMPARED,
  pickOfTwo,
} from '../../../../helpers/routing/choose-candidate.js'
import {
  type CandidateLoad,
  expectedWaitMs,
  type ReportedLoad,
} from '../../../../helpers/routing/expected-wait.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

interface Candidate extends CandidateLoad {
  readonly name: string
  readonly place: Place<Candidate>
}

function candidate(name: string, changes: Partial<ReportedLoad> = {}, sentSince = 0): Candidate {
  const reported = offeredModel('m', { answerMs: 8_000, ...changes })
  return { name, reported, sentSince, place: new Place() }
}

const FULL = { running: 4, queued: 10 }
const COLD = { isLoaded: false, loadMs: 3_000 }

function choose(candidates: readonly Candidate[], random = new SeededRandom(7)) {
  const below = (limit: number) => random.below(limit)
  const groups = new CandidateGroups<Candidate>()
  for (const { place: _, ...one } of candidates) {
    const candidate = { ...one, place: new Place<Candidate>() }
    groups.put(candidate, candidate)
  }
  return chooseCandidate(groups, below)
}

/** How often each is chosen of a hundred times. */
function tally(candidates: readonly Candidate[]): Record<string, number> {
  const random = new SeededRandom(3)
  const counts: Record<string, number> = {}
  for (let round = 0; round < 100; round += 1) {
    const name = choose(candidates, random)?.name ?? 'none'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

const many = (count: number, changes: Partial<ReportedLoad>) =>
  Array.from({ length: count }, (_, index) => candidate(`one of ${index}`, changes))

test('should choose no processor when there is none', (t) => {
  t.is(choose([]), undefined)
})

test('should find the one that is idle among very many that are full', (t) => {
  const full = many(500, FULL)
  t.is(choose([...full, candidate('loadable', COLD)])?.name, 'loadable')
  t.is(choose([...full, candidate('loaded', { running: 3 })])?.name, 'loaded')
})

test('should load nothing while one that was drawn has a free slot', (t) => {
  const busy = many(20, { running: 3 })
  t.ok(choose([...many(20, { ...COLD, loadMs: 1 }), ...busy])?.reported.isLoaded)
})

test('should wait in a line that is shorter than loading takes', (t) => {
  const short = candidate('line', { running: 4 })
  t.is(choose([short, candidate('slow', { ...COLD, loadMs: 2_001 })])?.name, 'line')
  t.is(choose([short, candidate('quick', { ...COLD, loadMs: 1_999 })])?.name, 'quick')
  const displacing = candidate('displacing', { ...COLD, loadMs: 1_000, displacedMs: 1_001 })
  t.is(choose([short, displacing])?.name, 'line')
})

test('should compare all when they are few, and a part of each kind when they are many', (t) => {
  const few = Array.from({ length: MAX_COMPARED }, (_, index) =>
    candidate(`${index}`, { running: 4, queued: 40 - index }),
  )
  t.is(choose(few)?.name, `${MAX_COMPARED - 1}`, 'the shortest line')
  // A second, two seconds and so on until an answer.
  const lines = Array.from({ length: 10_000 }, (_, index) =>
    candidate('line', { running: 4, queued: index % 50, answerMs: 4_000 }),
  )
  const waits: number[] = []
  const random = new SeededRandom(5)
  const groups = new CandidateGroups<Candidate>()
  for (const one of lines) groups.put(one, one)
  for (let round = 0; round < 100; round += 1) {
    const chosen = chooseCandidate(groups, (limit) => random.below(limit))
    if (chosen !== undefined) waits.push(expectedWaitMs(chosen))
  }
  const meanMs = waits.reduce((sum, waitMs) => sum + waitMs, 0) / waits.length
  t.ok(meanMs < 8_000, `${meanMs} ms on average, of 25 s if one were drawn blindly`)
})

test('should have the model loaded where it is being loaded already among very many that could', (t) => {
  const unloaded = many(10_000, COLD)
  t.is(choose([...unloaded, candidate('loading', COLD, 1)])?.name, 'loading')
})

test('should spread what is equal evenly', (t) => {
  const loaded = tally(many(4, {}))
  const cold = tally(many(4, COLD))
  for (const counts of [loaded, cold]) {
    t.is(Object.keys(counts).length, 4)
    t.ok(
      Object.values(counts).every((count) => count > 10),
      JSON.stringify(counts),
    )
  }
})

test('should prefer the less loaded of two that are drawn, and of those that wait as long', (t) => {
  t.alike(tally([candidate('busy', { running: 2 }), candidate('idle', { running: 1 })]), {
    idle: 100,
  })
  const waiting = [candidate('longer', FULL), candidate('shorter', { running: 4, queued: 9 })]
  t.alike(tally(waiting), { shorter: 100 })
})

test('should load a model once for as many requests as there are slots', (t) => {
  const loading = (sentSince: number) => [
    candidate('loading', COLD, sentSince),
    candidate('idle', COLD),
  ]
  t.alike(tally(loading(1)), { loading: 100 })
  t.alike(tally(loading(3)), { loading: 100 })
  t.alike(tally(loading(4)), { idle: 100 }, 'and not for one more, which would have to wait')
})

test('should not be drawn to what fails at once and so looks idle', (t) => {
  const failing = many(5, { hindrance: 'failure' })
  t.is(choose([...failing, candidate('sound', FULL)])?.name, 'sound')
  t.ok(choose(failing) !== undefined, 'though somebody is asked when all fail')
})

test('should not choose a processor where other models use the memory, or the queue is full', (t) => {
  const refusing = [
    candidate('memory', { ...COLD, loadMs: 1, hindrance: 'memory' }),
    candidate('line', { running: 4, queued: 1, queueLength: 1, answerMs: 1 }),
  ]
  t.is(choose([...refusing, candidate('open', { ...COLD, loadMs: 600_000 })])?.name, 'open')
  t.ok(choose(refusing) !== undefined, 'whoever is asked says why')
})

/** Draws these numbers, one after the other, and keeps the limits that it was asked with. */
function drawing(...numbers: number[]) {
  const limits: number[] = []
  const below = (limit: number) => {
    limits.push(limit)
    return numbers.shift() ?? 0
  }
  return { below, limits }
}

test('should draw nothing when there is one candidate', (t) => {
  const { below, limits } = drawing()
  t.is(pickOfTwo([3], below), 0)
  t.is(limits.length, 0)
})

test('should pick the less loaded when two were drawn, in whichever order', (t) => {
  const loads = [3, 1, 2]
  t.is(pickOfTwo(loads, drawing(0, 0).below), 1)
  t.is(pickOfTwo(loads, drawing(1, 1).below), 1)
  t.is(pickOfTwo(loads, drawing(0, 1).below), 2)
  t.is(pickOfTwo(loads, drawing(2, 0).below), 2)
})

test('should pick the first drawn when both are as loaded', (t) => {
  t.is(pickOfTwo([1, 1], drawing(0, 0).below), 0)
  t.is(pickOfTwo([1, 1], drawing(1, 0).below), 1)
})

test('should never compare a candidate with itself when any two are drawn', (t) => {
  const five = [0, 1, 2, 3, 4]
  const pairs = new Set<string>()
  for (const first of five) {
    for (const second of [0, 1, 2, 3]) {
      const equal = drawing(first, second)
      t.is(pickOfTwo([1, 1, 1, 1, 1], equal.below), first)
      t.alike(equal.limits, [5, 4])
      const loads = five.map((index) => (index === first ? 1 : 0))
      const other = pickOfTwo(loads, drawing(first, second).below)
      t.not(other, first)
      pairs.add([first, other].sort().join())
    }
  }
  t.is(pairs.size, 10, 'and every pair can be drawn')
})
