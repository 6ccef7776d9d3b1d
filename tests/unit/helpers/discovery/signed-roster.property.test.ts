import test from 'brittle'
import fc from 'fast-check'
import Persistent from 'hyperdht/lib/persistent.js'
import { encodeEntry, MAX_ROSTER_ENTRIES } from '../../../../helpers/discovery/roster-entry.js'
import {
  ENTRIES_PER_PAGE,
  MAX_PAGE_BYTES,
  MAX_ROSTER_PAGES,
} from '../../../../helpers/discovery/roster-pages.js'
import { openRoster, type SignedRoster } from '../../../../helpers/discovery/signed-roster.js'
import { RosterAuthority, rosterEntry, rosterOf } from '../../../helpers/network/roster-scene.js'
import { codeThrownBy, ensure, holds } from '../../../helpers/property.js'

const REFUSED = 'PROTOCOL_VIOLATION'
const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const sequences = fc.maxSafeNat()
const authority = new RosterAuthority()
const other = new RosterAuthority()

/** The bytes with one bit turned. */
function turn(bytes: Uint8Array, where: number): Uint8Array {
  const bit = Math.floor(where * bytes.byteLength * 8)
  const changed = Buffer.from(bytes)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

function codeOf(roster: SignedRoster, keys = authority.keys): string | null {
  return codeThrownBy(() => openRoster(roster, keys))
}

const roles = fc.uniqueArray(fc.constantFrom('auth', 'gateway', 'processor' as const), {
  minLength: 1,
})
const entries = fc
  .uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32 }), {
    maxLength: 100,
    selector: (key) => Buffer.from(key).toString('hex'),
  })
  .chain((keys) =>
    fc.tuple(...keys.map((publicKey) => fc.record({ publicKey: fc.constant(publicKey), roles }))),
  )

test('should bring back every entry, in pages of at most 1,000 bytes, whatever they are', async (t) => {
  await holds(
    t,
    fc.property(entries, sequences, (entries, sequence) => {
      const roster = authority.sign(entries, sequence)
      const encoded = (list: typeof entries) => list.map(encodeEntry).sort(Buffer.compare)
      const opened = openRoster(roster, authority.keys)
      ensure(
        Buffer.concat(opened.map(encodeEntry)).equals(Buffer.concat(encoded(entries))),
        'other entries',
      )
      ensure(
        roster.pages.every(({ byteLength }) => byteLength <= MAX_PAGE_BYTES),
        'a page is too large',
      )
    }),
  )
})

test('should bring back 0 to 1,024 workers and refuse to sign more', (t) => {
  const { length } = authority.sign([], 1).pages[0] ?? []
  t.ok(length !== undefined && length < 100, 'an empty roster is a small page')
  for (const count of [0, 1, ENTRIES_PER_PAGE, ENTRIES_PER_PAGE + 1, MAX_ROSTER_ENTRIES]) {
    const roster = authority.sign(rosterOf(count), 7)
    t.is(openRoster(roster, authority.keys).length, count)
    t.is(roster.pages.length, Math.max(1, Math.ceil(count / ENTRIES_PER_PAGE)))
    t.ok(roster.pages.every(({ byteLength }) => byteLength <= MAX_PAGE_BYTES))
  }
  t.is(Math.ceil(MAX_ROSTER_ENTRIES / ENTRIES_PER_PAGE), MAX_ROSTER_PAGES)
  t.exception.all(() => authority.sign(rosterOf(MAX_ROSTER_ENTRIES + 1), 7), /at most 1024/)
})

test('should refuse a roster when any bit of it is turned', async (t) => {
  const genuine = authority.sign(rosterOf(60), 41)
  t.is(codeOf(genuine), null)
  await holds(
    t,
    fc.property(fc.nat({ max: 3 }), position, (part, where) => {
      const pages = genuine.pages.map((page, i) => (i === part ? turn(page, where) : page))
      const signature = part === 3 ? turn(genuine.signature, where) : genuine.signature
      const code = codeOf({ ...genuine, pages, signature })
      ensure(code === REFUSED, `part ${part}: ${code}`)
    }),
    300,
  )
})

test('should refuse a roster that was put together from several', async (t) => {
  const older = authority.sign(rosterOf(60), 1)
  const newer = authority.sign(rosterOf(60), 2)
  const [oldHead = Buffer.alloc(0), , oldLast = Buffer.alloc(0)] = older.pages
  const [head = Buffer.alloc(0), second = Buffer.alloc(0), last = Buffer.alloc(0)] = newer.pages
  const refused = (changes: Partial<SignedRoster>) =>
    t.is(codeOf({ ...newer, ...changes }), REFUSED)
  refused({ sequence: 1 })
  refused({ sequence: 3 })
  refused({ signature: older.signature })
  refused({ pages: [oldHead, second, last] })
  refused({ pages: [head, second, oldLast] })
  refused({ pages: [head, last, second] })
  refused({ pages: [head, second] })
  refused({ pages: [head, second, last, last] })
  refused({ pages: [] })
  refused({ pages: Array.from({ length: MAX_ROSTER_PAGES + 1 }, () => head) })
})

test('should not be read when the mesh, its secret or its roster key is another', (t) => {
  const roster = authority.sign(rosterOf(3), 5)
  t.is(codeOf(roster, { ...authority.keys, secret: other.secret }), REFUSED)
  t.is(codeOf(roster, { ...authority.keys, mesh: other.mesh }), REFUSED)
  t.is(codeOf(roster, { ...authority.keys, publicKey: other.keys.publicKey }), REFUSED)
  t.is(codeOf(other.sign(rosterOf(3), 5)), REFUSED)
})

test('should hide keys and roles from the nodes that store the pages', (t) => {
  const [entry = rosterEntry('auth')] = rosterOf(1)
  const [page = Buffer.alloc(0)] = authority.sign([entry], 5).pages
  t.absent(Buffer.from(page).includes(Buffer.from(entry.publicKey)))
})

test('should refuse entries that are doubled or out of order, signed or not', (t) => {
  const [one, two] = [rosterEntry('gateway'), rosterEntry('gateway')]
  t.is(codeOf(authority.sign([one, one], 1)), REFUSED, 'the same entry twice')
  const twice = [one, { ...one, roles: ['processor' as const] }]
  t.is(codeOf(authority.sign(twice, 1)), REFUSED, 'the same key twice')
  t.is(codeOf(authority.sign([one, two], 1)), null)
})

test('should keep the pages after the first when only the sequence is another', (t) => {
  const entries = rosterOf(40)
  const [one, two] = [authority.sign(entries, 1), authority.sign(entries, 2)]
  t.alike(one.pages[1], two.pages[1])
  t.unlike(one.pages[0], two.pages[0])
})

test('should sign as HyperDHT does, so that its nodes accept the first page as a record', async (t) => {
  await holds(
    t,
    fc.property(sequences, (sequence) => {
      const { signature, pages } = authority.sign(rosterOf(1), sequence)
      const isAccepted = Persistent.verifyMutable(
        signature,
        sequence,
        pages[0] ?? Buffer.alloc(0),
        authority.rosterKey.publicKey,
      )
      ensure(isAccepted, `sequence ${sequence}`)
    }),
    50,
  )
})
