import test from 'brittle'
import fc from 'fast-check'
import { MAX_ROSTER_ENTRIES } from '../../../../helpers/discovery/roster-entry.js'
import { RosterList, UNRENEWED_MS } from '../../../../workers/auth/roster-list.js'
import { rosterEntry, rosterOf } from '../../../helpers/network/roster-scene.js'
import { codeThrownBy, ensure, holds } from '../../../helpers/property.js'

const NOW_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000

function worker(number: number, expiresAt = NOW_MS + 100 * UNRENEWED_MS) {
  const publicKey = number.toString(16).padStart(64, '0')
  return { publicKey, roles: ['gateway' as const], expiresAt }
}

function fullList(renewedAt = NOW_MS): RosterList {
  const list = new RosterList()
  for (let n = 0; n < MAX_ROSTER_ENTRIES; n += 1) list.enlist(worker(n), renewedAt)
  return list
}

test('should list each key once, with the roles of its last certificate', (t) => {
  const list = new RosterList()
  t.ok(list.enlist(worker(1), NOW_MS))
  t.absent(list.enlist(worker(1), NOW_MS + 1), 'only renewed')
  t.ok(list.enlist({ ...worker(1), roles: ['gateway', 'processor'] }, NOW_MS + 2))
  t.is(list.entries.length, 1)
  t.alike(list.entries[0]?.roles, ['gateway', 'processor'])
})

test('should list no client', (t) => {
  const enlist = () => new RosterList().enlist({ ...worker(1), roles: ['client'] }, NOW_MS)
  t.is(codeThrownBy(enlist), 'FORBIDDEN')
})

test('should remove workers that were not renewed for a week or whose certificate has expired', (t) => {
  const list = new RosterList()
  list.enlist(worker(1), NOW_MS)
  list.enlist(worker(2), NOW_MS + 1)
  list.enlist(worker(3, NOW_MS + HOUR_MS), NOW_MS + 1)
  t.absent(list.expire(NOW_MS + HOUR_MS - 1))
  t.ok(list.expire(NOW_MS + HOUR_MS))
  t.is(list.workers.length, 2)
  t.ok(list.expire(NOW_MS + UNRENEWED_MS))
  t.alike(
    list.workers.map(({ publicKey }) => publicKey),
    [worker(2).publicKey],
  )
})

test('should refuse a worker when the list is full of present workers', (t) => {
  const list = fullList()
  const another = () => list.enlist(worker(MAX_ROSTER_ENTRIES), NOW_MS + HOUR_MS - 1)
  t.is(codeThrownBy(another), 'OVERLOADED')
  t.absent(list.enlist(worker(5), NOW_MS + HOUR_MS - 1), 'those who are listed can renew')
})

test('should replace the worker that was renewed longest ago when the list is full', (t) => {
  const list = fullList()
  for (let n = 1; n < MAX_ROSTER_ENTRIES; n += 1) list.enlist(worker(n), NOW_MS + 1)
  t.ok(list.enlist(worker(MAX_ROSTER_ENTRIES), NOW_MS + HOUR_MS))
  t.is(list.workers.length, MAX_ROSTER_ENTRIES)
  t.absent(list.workers.some(({ publicKey }) => publicKey === worker(0).publicKey))
})

test('should take over published workers as far as there is room', (t) => {
  const list = new RosterList()
  const entries = [rosterEntry('auth'), rosterEntry('gateway', 'processor')]
  list.adopt(entries, NOW_MS)
  t.alike(list.entries, entries)
  list.adopt(entries, NOW_MS + 1)
  t.is(list.entries.length, 2)
  const full = fullList()
  full.adopt(rosterOf(3), NOW_MS)
  t.is(full.entries.length, MAX_ROSTER_ENTRIES)
})

test('should never exceed its limit or list a key twice after any sequence of changes', async (t) => {
  const steps = fc.array(fc.record({ key: fc.nat({ max: 3_000 }), hours: fc.nat({ max: 400 }) }), {
    maxLength: 20,
  })
  await holds(
    t,
    fc.property(steps, (steps) => {
      const list = fullList()
      let now = NOW_MS
      for (const { key, hours } of steps) {
        now += hours * HOUR_MS
        list.expire(now)
        codeThrownBy(() => list.enlist(worker(key), now))
        const keys = list.workers.map(({ publicKey }) => publicKey)
        ensure(keys.length <= MAX_ROSTER_ENTRIES, 'too many')
        ensure(new Set(keys).size === keys.length, 'twice')
      }
    }),
    10,
  )
})
