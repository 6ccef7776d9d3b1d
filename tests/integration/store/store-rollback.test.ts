import { cp, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { createRecords, insert } from '../../helpers/storage/local-records.js'
import { rejectionOf } from '../../helpers/until.js'
import { contentOf, copyOf, recordsIn } from '../../helpers/workers/worker-store.js'

const clock = new SystemClock()

/** A worker's folder and, elsewhere in its home, what tells that there was a store in it. */
async function guardedWorker(t: Test) {
  const home = await t.tmp()
  const folder = join(home, 'auth')
  const options = {
    clock,
    guard: join(home, 'auth-store.guard'),
    trace: join(folder, 'store.trace'),
  }
  const write = async (keys: readonly string[]) => {
    const store = await openStore(join(folder, 'store'), options)
    const records = createRecords(store, 'texts')
    for (const key of keys) await insert(records, key, `${key} x`)
    await records.close()
    await store.close()
    await writeFile(options.trace, 'a trace')
  }
  const refusal = async () => {
    const before = await contentOf(home)
    const error = await rejectionOf(openStore(join(folder, 'store'), options))
    if (!isStarlingError(error, 'STORE_DAMAGED')) throw error
    t.alike(await contentOf(home), before, 'not one byte was changed')
    return error.message
  }
  await write(['a', 'b'])
  return { folder, options, write, refusal }
}

test('should refuse when the store and its witness are gone, until each trace of them is', async (t) => {
  const { folder, options, write, refusal } = await guardedWorker(t)
  const { guard, trace } = options
  t.is((await stat(guard)).mode & 0o777, 0o600)
  await rm(join(folder, 'store'), { recursive: true })
  await rm(join(folder, 'store.witness'))
  const both = await refusal()
  t.ok(/it is missing, and so is its witness/.test(both), both)
  t.ok(/held 4 entries .* in "texts".*Restore a backup of the store taken after/.test(both), both)
  t.ok(both.includes(`to start without accounts, remove ${guard} and ${trace}`), both)
  await rm(guard)
  const keysAlone = await refusal()
  t.ok(keysAlone.includes(`${trace}, which is created after them, exists`), keysAlone)
  t.ok(keysAlone.includes(`remove ${trace}`), keysAlone)
  await rm(trace)
  await write(['c'])
  t.is(await recordsIn(folder, ['a', 'b', 'c']), 1, 'begins anew')
})

test('should refuse when the whole folder of the worker was replaced by an older copy', async (t) => {
  const { folder, options, write, refusal } = await guardedWorker(t)
  const old = await copyOf(t, folder)
  await write(['c'])
  const young = await copyOf(t, folder)
  const restore = async (from: string) => {
    await rm(folder, { recursive: true })
    await cp(from, folder, { recursive: true })
  }
  await restore(old)
  const message = await refusal()
  t.ok(/it and its witness .* were replaced by an older or another copy/.test(message), message)
  t.ok(/held 5 entries .* holds 4 entries .*Restore a backup/.test(message), message)
  await restore(young)
  await write(['d'])
  t.is(await recordsIn(folder, ['a', 'b', 'c', 'd']), 4, 'a young copy is served')
  await restore(old)
  await refusal()
  await rm(options.guard)
  await write(['e'])
  t.is(await recordsIn(folder, ['a', 'b', 'c', 'd', 'e']), 3, 'its owner has accepted it')
})
