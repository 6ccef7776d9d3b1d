import test, { type Test } from 'brittle'
import { createLog } from '../../../../facilities/log/log.js'
import type { MeshRoster } from '../../../../facilities/network/discovery/mesh-roster.js'
import { UNRENEWED_MS } from '../../../../helpers/discovery/roster-list.js'
import { parseRoster, ROSTER_KEYS } from '../../../../helpers/discovery/roster-records.js'
import type { Certificate } from '../../../../helpers/identity/certificate.js'
import { RosterWriter } from '../../../../workers/auth/roster-writer.js'
import { createCertificate } from '../../../helpers/factory.js'
import { newKeyPair } from '../../../helpers/network/mesh-authority.js'
import { memoryStore, RosterScene, rosterOf } from '../../../helpers/network/roster-scene.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords, valueAt } from '../../../helpers/storage/local-records.js'
import { rejectionOf, until, untilItWorks } from '../../../helpers/until.js'

const MINUTE_MS = 60_000
const log = createLog({ name: 'auth', level: 'silent', json: true, output: { write: () => {} } })

async function scene(t: Test) {
  const roster = new RosterScene(t)
  const { clock, authority } = roster
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store)
  t.teardown(() => store.close(), { order: 2 })
  t.teardown(() => records.close(), { order: 1 })
  const keyPair = newKeyPair()
  const certificate = authority.certify(keyPair, ['auth'], { expiresAt: clock.now() + 1e12 })
  const identity = { ...authority.identity('auth', { keyPair }), certificate: () => certificate }
  /** An auth worker that starts with these records. */
  const start = async (worker: MeshRoster = roster.worker()) => {
    const writer = new RosterWriter({
      ...authority,
      records,
      identity,
      keeper: worker.keeper,
      clock,
      log,
    })
    t.teardown(() => writer.close(), { order: -1 })
    await writer.ready()
    return { writer, worker, keeper: worker.keeper }
  }
  const published = async (keeper: MeshRoster['keeper'], sequence: number) =>
    await until(`sequence ${sequence}`, () => keeper.sequence === sequence)
  const stored = async () => {
    const values = await Promise.all(
      ROSTER_KEYS.map(async (key) => [key, await valueAt(records, key)] as const),
    )
    return parseRoster(new Map(values.filter(([, value]) => value !== undefined)))
  }
  return { roster, memory, records, clock, start, published, stored }
}

function gateway(): Certificate {
  const publicKey = Buffer.from(newKeyPair().publicKey).toString('hex')
  return { ...createCertificate('gateway'), publicKey, expiresAt: Date.UTC(2100, 0, 1) }
}

test('should list itself and every worker that enlists, and find the roster in the DHT', async (t) => {
  const { roster, clock, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  t.alike(
    keeper.entries.map(({ roles }) => roles),
    [['auth']],
  )
  t.is(await writer.enlist(gateway()), 1)
  await writer.enlist(gateway())
  await clock.advance(1_000)
  await published(keeper, 2)
  t.is(keeper.entries.length, 3, 'both in one roster')
  await until('the read back', () => roster.dht.mutable.size === 1)
  t.alike(writer.problems(), [])
})

test('should list the roles that a roster knows when a certificate names others, too', async (t) => {
  const { clock, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  await writer.enlist({ ...gateway(), roles: ['librarian', 'processor', 'client', 'gateway'] })
  await clock.advance(1_000)
  await published(keeper, 2)
  t.alike(keeper.entries.map(({ roles }) => roles).sort(), [['auth'], ['gateway', 'processor']])
  const enlisted = writer.enlist({ ...gateway(), roles: ['librarian'] })
  t.is(Object(await rejectionOf(enlisted)).code, 'FORBIDDEN')
})

test('should write no new roster when only the times have changed', async (t) => {
  const { records, clock, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  const one = gateway()
  await writer.enlist(one)
  await clock.advance(1_000)
  await published(keeper, 2)
  const before = await records.revision()
  await writer.enlist(one)
  await clock.advance(10 * MINUTE_MS)
  await writer.close()
  t.is(keeper.sequence, 2)
  t.alike(await records.revision(), before, 'nor a record')
})

test('should keep the times of the list each hour, and the sequence', async (t) => {
  const { clock, start, published, stored } = await scene(t)
  const { keeper } = await start()
  await published(keeper, 1)
  const before = await stored()
  await clock.advance(61 * MINUTE_MS)
  const after = await untilItWorks('the records', async () => {
    const now = await stored()
    if (now?.savedAt === before?.savedAt) throw new Error('the old ones')
    return now
  })
  const [own] = after?.list.values() ?? []
  t.ok((own?.renewedAt ?? 0) > (before?.savedAt ?? Infinity))
  t.is(after?.sequence, 1)
  t.is(keeper.sequence, 1)
})

test('should continue with a higher sequence and the same workers when it is restarted', async (t) => {
  const { roster, clock, start, published } = await scene(t)
  const first = await start()
  await published(first.keeper, 1)
  await first.writer.enlist(gateway())
  await clock.advance(1_000)
  await published(first.keeper, 2)
  await first.writer.close()
  roster.dht.restart()
  await first.worker.close()
  const second = await start()
  await published(second.keeper, 3)
  t.is(second.keeper.entries.length, 2)
})

test('should continue above the published sequence when its own list was lost', async (t) => {
  const { roster, records, start, published } = await scene(t)
  const first = await start()
  await published(first.keeper, 1)
  await first.writer.close()
  await records.batch({ changes: ROSTER_KEYS.map((key) => ({ kind: 'remove', key })) })
  const kept = roster.authority.sign(rosterOf(3), 41)
  const second = await start(roster.worker({ store: memoryStore(kept) }))
  await published(second.keeper, 42)
  t.is(second.keeper.entries.length, 4, 'the three that were published, and itself')
})

test('should use no sequence that is not on disk', async (t) => {
  const { memory, clock, start, published, stored } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  t.is((await stored())?.sequence, 1)
  memory.fail(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  await writer.enlist(gateway())
  await clock.advance(1_000)
  await clock.advance(MINUTE_MS)
  t.is(keeper.sequence, 1, 'the disk does not take it')
  memory.fail(null)
  await clock.advance(2 * MINUTE_MS)
  await published(keeper, 2)
  t.is(keeper.entries.length, 2, 'and nobody is forgotten')
})

test('should say that the roster is not found when the DHT does not keep it', async (t) => {
  const { roster, clock, start, published } = await scene(t)
  const node = roster.dht.node()
  node.mutablePut.resolves()
  const { writer, keeper } = await start(roster.worker({ dht: node }))
  await published(keeper, 1)
  t.alike(writer.problems(), [], 'once may be by chance')
  await clock.advance(MINUTE_MS)
  await until('the second check', () => writer.problems().length > 0)
  const [problem] = writer.problems()
  t.is(problem?.code, 'NOT_DISCOVERABLE')
  t.is(problem?.blocks, false)
})

test('should close at once when the DHT does not answer', async (t) => {
  const { roster, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  roster.dht.isSilent = true
  await roster.clock.advance(MINUTE_MS)
  // Time stands still: it could not wait for a deadline.
  await writer.close()
  t.is(roster.dht.mutable.size, 1)
})

test('should publish the roster again when the DHT has lost it', async (t) => {
  const { roster, clock, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  await until('the roster', () => roster.dht.mutable.size === 1)
  roster.dht.restart()
  await clock.advance(MINUTE_MS)
  await until('the roster again', () => roster.dht.mutable.size === 1)
  t.alike(writer.problems(), [])
})

test('should drop workers that were absent for a week', async (t) => {
  const { clock, start, published } = await scene(t)
  const { writer, keeper } = await start()
  await published(keeper, 1)
  await writer.enlist(gateway())
  await clock.advance(1_000)
  await published(keeper, 2)
  await writer.close()
  await clock.advance(UNRENEWED_MS)
  const again = await start()
  await published(again.keeper, 3)
  t.is(again.keeper.entries.length, 1, 'itself')
})
