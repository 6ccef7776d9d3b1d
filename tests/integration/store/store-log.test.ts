import { readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import type { Clock } from '../../../facilities/clock/clock.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { STORE_WATCH_INTERVAL_MS } from '../../../facilities/store/durable-store.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { MAX_STORE_LOG_BYTES } from '../../../facilities/store/store-folder.js'
import { VirtualClock } from '../../helpers/clock/virtual-clock.js'
import { createRecords, insert, valueAt } from '../../helpers/storage/local-records.js'
import { untilItWorks } from '../../helpers/until.js'

/** Records in a store on a disk, and where RocksDB keeps its own log of it. */
async function openRecords(t: Test, clock: Clock) {
  const directory = join(await t.tmp(), 'store')
  const store = await openStore(directory, { clock })
  t.teardown(() => store.close())
  const records = createRecords(store, 'texts')
  t.teardown(() => records.close(), { order: -1 })
  await insert(records, 'first', 'x'.repeat(200))
  const database = join(directory, 'db')
  return { records, database, log: join(database, 'LOG') }
}

test('should let the log of RocksDB grow by less than 100 bytes a registration', async (t) => {
  const { records, log } = await openRecords(t, new SystemClock())
  const before = (await stat(log)).size
  for (let index = 0; index < 200; index += 1) {
    await insert(records, `key-${index}`, 'x'.repeat(200))
  }
  const grown = (await stat(log)).size - before
  t.comment(`${grown} bytes for 200 registrations`)
  t.ok(grown < 20_000, `${grown} bytes`)
})

test('should begin another log of RocksDB when that has grown large', async (t) => {
  const clock = new VirtualClock()
  const { records, database, log } = await openRecords(t, clock)
  for (let round = 0; round < 3; round += 1) {
    await insert(records, `key-${round}`, 'x')
    await truncate(log, MAX_STORE_LOG_BYTES + 1)
    await clock.advance(STORE_WATCH_INTERVAL_MS)
    await untilItWorks('another log', async () => {
      if ((await stat(log)).size >= MAX_STORE_LOG_BYTES) throw new Error('the same log')
    })
    t.is(await valueAt(records, `key-${round}`), 'x')
  }
  const logs = (await readdir(database)).filter((name) => name.startsWith('LOG'))
  const sizes = await Promise.all(logs.map((name) => stat(join(database, name))))
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0)
  t.ok(logs.length <= 2 && bytes < 2 * MAX_STORE_LOG_BYTES, `${logs}: ${bytes} bytes`)
  t.ok(await insert(records, 'last', 'x'), 'and it goes on')
})
