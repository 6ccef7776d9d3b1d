import test from 'brittle'
import fc from 'fast-check'
import { MAX_ROSTER_ENTRIES } from '../../../../helpers/discovery/roster-entry.js'
import {
  adopt,
  enlist,
  enlistAll,
  entriesOf,
  expire,
  listedWorker,
  type RosterList,
  UNRENEWED_MS,
} from '../../../../helpers/discovery/roster-list.js'
import { rosterEntry, rosterOf } from '../../../helpers/network/roster-scene.js'
import { codeThrownBy, ensure, holds } from '../../../helpers/property.js'

const NOW_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 3_600_000
const EMPTY: RosterList = new Map()

function worker(number: number, renewedAt = NOW_MS, expiresAt = NOW_MS + 100 * UNRENEWED_MS) {
  const publicKey = number.toString(16).padStart(64, '0')
  return { publicKey, roles: ['gateway' as const], expiresAt, renewedAt }
}

function fullList(renewedAt = NOW_MS): RosterList {
  return enlistAll(
    EMPTY,
    Array.from({ length: MAX_ROSTER_ENTRIES }, (_, n) => worker(n, renewedAt)),
  )
}

test('should list each key once, with the roles of its last certificate', (t) => {
  const one = enlist(EMPTY, worker(1))
  const both = enlist(one, { ...worker(1), roles: ['gateway', 'processor'] })
  t.alike(
    entriesOf(both).map(({ roles }) => roles),
    [['gateway', 'processor']],
  )
  t.alike(entriesOf(one)[0]?.roles, ['gateway'], 'the list before is as it was')
  t.is(EMPTY.size, 0)
})

test('should list only roles that serve, and no client', (t) => {
  const { publicKey, expiresAt } = worker(1)
  t.alike(listedWorker({ publicKey, expiresAt, roles: ['client', 'gateway'] }, NOW_MS), worker(1))
  const client = () => listedWorker({ publicKey, expiresAt, roles: ['client'] }, NOW_MS)
  t.is(codeThrownBy(client), 'FORBIDDEN')
})

test('should leave out workers that were not renewed for a week or whose certificate has expired', (t) => {
  const list = enlistAll(EMPTY, [
    worker(1, NOW_MS),
    worker(2, NOW_MS + 1),
    worker(3, NOW_MS + 1, NOW_MS + HOUR_MS),
  ])
  t.is(expire(list, NOW_MS + HOUR_MS - 1).size, 3)
  t.is(expire(list, NOW_MS + HOUR_MS).size, 2)
  t.alike([...expire(list, NOW_MS + UNRENEWED_MS).keys()], [worker(2).publicKey])
})

test('should refuse a worker when the list is full of present workers', (t) => {
  const list = fullList()
  const another = worker(MAX_ROSTER_ENTRIES, NOW_MS + HOUR_MS - 1)
  t.is(
    codeThrownBy(() => enlist(list, another)),
    'OVERLOADED',
  )
  t.alike(enlistAll(list, [another]), list, 'or leave it out')
  t.is(enlist(list, worker(5, NOW_MS + 1)).size, MAX_ROSTER_ENTRIES, 'those on it can renew')
})

test('should replace the worker that was renewed longest ago when the list is full', (t) => {
  const renewed = Array.from({ length: MAX_ROSTER_ENTRIES - 1 }, (_, n) =>
    worker(n + 1, NOW_MS + 1),
  )
  const list = enlistAll(fullList(), [...renewed, worker(MAX_ROSTER_ENTRIES, NOW_MS + HOUR_MS)])
  t.is(list.size, MAX_ROSTER_ENTRIES)
  t.absent(list.has(worker(0).publicKey))
  t.ok(list.has(worker(MAX_ROSTER_ENTRIES).publicKey))
})

test('should take over published workers as far as there is room', (t) => {
  const entries = [rosterEntry('auth'), rosterEntry('gateway', 'processor')]
  const list = adopt(EMPTY, entries, NOW_MS)
  t.alike(entriesOf(list), entries)
  t.alike(adopt(list, entries, NOW_MS + 1), list)
  t.is(adopt(fullList(), rosterOf(3), NOW_MS).size, MAX_ROSTER_ENTRIES)
})

test('should never exceed its limit or list a key twice after any sequence of changes', async (t) => {
  const steps = fc.array(fc.record({ key: fc.nat({ max: 3_000 }), hours: fc.nat({ max: 400 }) }), {
    maxLength: 20,
  })
  await holds(
    t,
    fc.property(steps, (steps) => {
      let list = fullList()
      let now = NOW_MS
      for (const { key, hours } of steps) {
        now += hours * HOUR_MS
        list = enlistAll(expire(list, now), [worker(key, now)])
        ensure(list.size <= MAX_ROSTER_ENTRIES, 'too many')
        ensure(
          [...list].every(([key, { publicKey }]) => key === publicKey),
          'twice',
        )
      }
    }),
    10,
  )
})
