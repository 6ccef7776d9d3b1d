import test from 'brittle'
import {
  OverdueWork,
  type WorkReport,
} from '../../../../../facilities/engine/llama/overdue-work.js'

const INTERVAL_MS = 2_000

/** The reports until something is overdue, and what it is. */
function reportsUntilOverdue(work: OverdueWork, report: (count: number) => WorkReport, most = 500) {
  for (let count = 1; count <= most; count++) {
    const overdue = work.reported(report(count))
    if (overdue !== null) return { count, ...overdue }
  }
  return null
}

const choice = (request: number, index = 0) => ({ request, index })

test('should find a token overdue that is chosen for 10 s, whatever else begins or ends', (t) => {
  const overdue = reportsUntilOverdue(new OverdueWork(INTERVAL_MS), (count) => ({
    ...{ done: count, tokens: count },
    choosing: [choice(1, count), choice(2), choice(3, count)],
  }))
  t.alike(overdue, {
    count: 6,
    reason: 'choosing a token with it took longer than 10 s',
    requests: [2],
  })
})

test('should find nothing overdue when each token is chosen sooner', (t) => {
  const overdue = reportsUntilOverdue(new OverdueWork(INTERVAL_MS), (count) => ({
    ...{ done: 0, tokens: 1 },
    choosing: [choice(1, Math.floor(count / 5))],
  }))
  t.is(overdue, null)
})

test('should allow 20 times what a token takes on a slow machine', (t) => {
  const work = new OverdueWork(INTERVAL_MS)
  work.measured(2_000)
  const overdue = reportsUntilOverdue(work, () => ({ done: 0, tokens: 1, choosing: [choice(1)] }))
  t.is(overdue?.count, 21)
  t.is(overdue?.reason, 'choosing a token with it took longer than 40 s')
})

test('should blame only the four that began first: the others wait for their threads', (t) => {
  const overdue = reportsUntilOverdue(new OverdueWork(INTERVAL_MS), () => ({
    ...{ done: 0, tokens: 6 },
    choosing: [5, 9, 1, 2, 3, 4].map((request) => choice(request)),
  }))
  t.alike(overdue?.requests, [5, 9, 1, 2])
})

test('should blame no request when a computation does not end', (t) => {
  const work = new OverdueWork(INTERVAL_MS)
  work.measured(10)
  const overdue = reportsUntilOverdue(work, (count) => ({
    ...{ done: Math.min(count, 10), tokens: 100 },
    choosing: [],
  }))
  t.alike(overdue, {
    count: 20,
    reason: 'computing 100 tokens took longer than 20 s',
    requests: [],
  })
})

test('should find nothing overdue when nothing is computed', (t) => {
  const overdue = reportsUntilOverdue(new OverdueWork(INTERVAL_MS), () => ({
    ...{ done: 7, tokens: 0 },
    choosing: [],
  }))
  t.is(overdue, null)
})
