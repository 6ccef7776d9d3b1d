import test from 'brittle'
import {
  carryOverRoster,
  publishRoster,
  type RosterNews,
} from '../../../../helpers/discovery/publish-roster.js'
import { MAX_ROSTER_ENTRIES } from '../../../../helpers/discovery/roster-entry.js'
import { entriesOf } from '../../../../helpers/discovery/roster-list.js'
import { ROSTER_KEYS } from '../../../../helpers/discovery/roster-records.js'
import type { RecordChange } from '../../../../helpers/store/record.js'
import { encodeBatch } from '../../../../helpers/store/record-batch.js'
import type { RecordState } from '../../../../helpers/store/record-command.js'
import { rosterOf } from '../../../helpers/network/roster-scene.js'
import { codeThrownBy } from '../../../helpers/property.js'

const NOW_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000
const NONE = { sequence: 0, entries: [] }

function worker(number: number, renewedAt = NOW_MS) {
  const publicKey = number.toString(16).padStart(64, '0')
  const expiresAt = NOW_MS + 1_000 * HOUR_MS
  return { publicKey, roles: ['gateway' as const], expiresAt, renewedAt }
}

/** The records after these changes, as they are read from a disk. */
function applied(state: RecordState, changes: readonly RecordChange[]): RecordState {
  const { changes: encoded } = encodeBatch('records', { changes })
  const next = new Map(state)
  for (const { key, text } of encoded) {
    if (text === null) next.delete(key)
    else next.set(key, JSON.parse(text))
  }
  return next
}

function run(state: RecordState, news: Partial<RosterNews>, timeMs = NOW_MS) {
  const input = { enlisted: [], published: NONE, ...news }
  const { changes, answer } = publishRoster.decide(state, input, timeMs)
  const published = { sequence: answer.sequence, entries: entriesOf(answer.list) }
  return { ...answer, changes, state: applied(state, changes), published }
}

test('should store the workers and their sequence before it is used', (t) => {
  t.alike(publishRoster.keysOf({ enlisted: [], published: NONE }), ROSTER_KEYS)
  const first = run(new Map(), { enlisted: [worker(1), worker(2)] })
  t.alike([first.sequence, first.isNew, first.isStored, first.list.size], [1, true, true, 2])
  t.ok(first.changes.every(({ key }) => ROSTER_KEYS.includes(key)))
  const again = run(first.state, {})
  t.alike([again.sequence, again.list], [2, first.list], 'nothing is known to be published')
})

test('should change nothing as long as only times have changed, and store them each hour', (t) => {
  const first = run(new Map(), { enlisted: [worker(1)] })
  const { published } = first
  const early = { enlisted: [worker(1, NOW_MS + HOUR_MS - 1)], published }
  const second = run(first.state, early, NOW_MS + HOUR_MS - 1)
  t.alike([second.sequence, second.isNew, second.isStored, second.changes], [1, false, false, []])
  const late = { enlisted: [worker(1, NOW_MS + HOUR_MS)], published }
  const third = run(first.state, late, NOW_MS + HOUR_MS)
  t.alike([third.sequence, third.isNew, third.isStored], [1, false, true])
  t.is(run(third.state, { published }).list.get(worker(1).publicKey)?.renewedAt, NOW_MS + HOUR_MS)
})

test('should publish again under a higher sequence when the workers have changed', (t) => {
  const first = run(new Map(), { enlisted: [worker(1)] })
  const { published } = first
  const second = run(first.state, { enlisted: [worker(2)], published })
  t.alike([second.sequence, second.isNew, second.list.size], [2, true, 2])
  const late = NOW_MS + 8 * 24 * HOUR_MS
  const third = run(
    second.state,
    { enlisted: [worker(2, late)], published: second.published },
    late,
  )
  t.alike([third.sequence, [...third.list.keys()]], [3, [worker(2).publicKey]])
})

test('should continue above what was published when the stored list is older or lost', (t) => {
  const published = { sequence: 41, entries: rosterOf(3) }
  const lost = run(new Map(), { enlisted: [worker(1)], published })
  t.alike([lost.sequence, lost.list.size], [42, 4])
  const old = run(new Map(), { enlisted: [worker(2)] })
  const older = run(old.state, { enlisted: [worker(1)], published })
  t.alike([older.sequence, older.list.size], [42, 5])
})

test('should write only the records that have changed, and hold as many workers as are listed', (t) => {
  const all = Array.from({ length: MAX_ROSTER_ENTRIES }, (_, n) => worker(n))
  const full = run(new Map(), { enlisted: all })
  t.is(full.list.size, MAX_ROSTER_ENTRIES)
  t.is(full.changes.length, ROSTER_KEYS.length)
  const roles = ['gateway' as const, 'processor' as const]
  const changed = run(full.state, {
    enlisted: [{ ...worker(300), roles }],
    published: full.published,
  })
  t.alike(
    changed.changes.map(({ key }) => key),
    ['roster/head', 'roster/workers/1'],
  )
  const late = NOW_MS + 8 * 24 * HOUR_MS
  const few = run(full.state, { enlisted: [worker(1, late)], published: full.published }, late)
  t.is(few.changes.filter(({ kind }) => kind === 'remove').length, ROSTER_KEYS.length - 2)
  t.alike([...run(few.state, {}, late).list.keys()], [worker(1).publicKey])
})

test('should refuse stored records of another format', (t) => {
  const first = run(new Map(), { enlisted: [worker(1)] })
  for (const key of ['roster/head', 'roster/workers/0']) {
    const damaged = new Map(first.state).set(key, { sequence: 'one' })
    t.is(
      codeThrownBy(() => run(damaged, {})),
      'INTERNAL',
      key,
    )
  }
})

test('should carry over the list of an earlier version once', (t) => {
  const roster = { version: 1 as const, sequence: 7, workers: [worker(1), worker(2)] }
  const { changes, answer } = carryOverRoster.decide(new Map(), roster, NOW_MS)
  t.ok(answer)
  const state = applied(new Map(), changes)
  const next = run(state, {})
  t.alike([next.sequence, next.list.size], [8, 2])
  t.alike(carryOverRoster.decide(next.state, roster, NOW_MS), { changes: [], answer: false })
})
