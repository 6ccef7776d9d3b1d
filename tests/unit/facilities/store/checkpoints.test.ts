import test, { type Test } from 'brittle'
import { CommandRunner } from '../../../../facilities/store/command-runner.js'
import { STORE_WATCH_INTERVAL_MS } from '../../../../facilities/store/durable-store.js'
import {
  HISTORY_FACTOR,
  type LocalRecords,
  MIN_HISTORY_BLOCKS,
} from '../../../../facilities/store/local-records.js'
import type { RecordCommand } from '../../../../helpers/store/record-command.js'
import { decodeWitness } from '../../../../helpers/store/store-witness.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import {
  collectPowerCuts,
  DurableMemory,
  durableMemoryStore,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, put, valueAt } from '../../../helpers/storage/local-records.js'
import { MemoryFile } from '../../../helpers/storage/memory-files.js'
import { rejectionOf, settle, until } from '../../../helpers/until.js'

const KEYS = Array.from({ length: 5 }, (_, index) => `cat-${index}`)

/** Records whose history is cut after a few changes. */
function openRecords(t: Test, memory = new DurableMemory(), minHistoryBlocks = 20) {
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store, 'cats', { minHistoryBlocks })
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  return { memory, clock, store, records }
}

/** Changes each record once. */
async function changeAll(records: LocalRecords, value: number): Promise<void> {
  await records.batch({ changes: KEYS.map((key) => ({ kind: 'put', key, value })) })
}

/** Opens the disk as a start does. @returns the value of each key, and the number of cores */
async function reopened(memory: DurableMemory, keys = KEYS) {
  const store = await openMemoryStore(memory)
  const records = createRecords(store, 'cats', { minHistoryBlocks: 20 })
  const values = await Promise.all(keys.map((key) => valueAt(records, key)))
  let cores = 0
  for await (const _ of store.corestore.list()) cores += 1
  await records.close()
  await store.close()
  return { values, cores }
}

/** Every fifth: of each kind of cut, and some around each checkpoint. */
function sampled<Cut>(cuts: readonly Cut[]): readonly Cut[] {
  return cuts.filter((_, index) => index % 5 === 0)
}

function witnessed(memory: DurableMemory) {
  return decodeWitness(memory.witness.bytes ?? Buffer.alloc(0))?.cores.cats
}

test('should cut the history when it is longer than the records need', async (t) => {
  const { memory, records } = openRecords(t)
  let longest = 0
  for (let round = 1; round <= 40; round += 1) {
    await changeAll(records, round)
    await settle()
    longest = Math.max(longest, witnessed(memory)?.length ?? 0)
  }
  t.ok(longest <= 2 + KEYS.length + 20 + KEYS.length, `${longest} blocks`)
  t.ok((await records.revision()).epoch > 1)
  t.alike(
    await Promise.all(KEYS.map((key) => valueAt(records, key))),
    KEYS.map(() => 40),
  )
  await records.close()
  t.alike(await reopened(memory.copy()), { values: KEYS.map(() => 40), cores: 1 })
})

test('should keep the disk and the start in proportion to the records when changes go on', async (t) => {
  const { memory, records } = openRecords(t, new DurableMemory(), MIN_HISTORY_BLOCKS)
  const keys = Array.from({ length: 100 }, (_, index) => `cat-${index}`)
  for (let round = 1; round <= 60; round += 1) {
    await records.batch({ changes: keys.map((key) => ({ kind: 'put', key, value: round })) })
  }
  await settle()
  const blocks = witnessed(memory)?.length ?? Infinity
  t.ok(blocks <= MIN_HISTORY_BLOCKS + 2 * keys.length + 2, `${blocks} of 6,000 blocks`)
  // A block of a Hypercore takes three entries: its bytes and two nodes of its tree.
  t.ok(memory.store.entries.size < 4 * blocks, `${memory.store.entries.size} entries on disk`)
})

test('should count the records on, without reading them, when it is started again', async (t) => {
  const { memory, store, records } = openRecords(t)
  await changeAll(records, 1)
  t.is(witnessed(memory)?.records, KEYS.length)
  await records.batch({ changes: [{ kind: 'remove', key: 'cat-0' }] })
  t.is(witnessed(memory)?.records, KEYS.length - 1)
  await records.close()
  await store.close()
  const again = openRecords(t, memory)
  await put(again.records, 'more', 1)
  await put(again.records, 'more', 2)
  t.is(witnessed(memory)?.records, KEYS.length)
  const unwitnessed = openRecords(t, new DurableMemory(memory.store.copy()))
  await unwitnessed.records.ready()
  t.is(witnessed(unwitnessed.memory)?.records, KEYS.length, 'counted, where nothing tells')
})

test('should cut nothing as long as records are only added', async (t) => {
  const { records } = openRecords(t, new DurableMemory(), MIN_HISTORY_BLOCKS)
  for (let batch = 0; batch < 4; batch += 1) {
    const changes = Array.from({ length: 1_000 }, (_, index) => {
      return { kind: 'put', key: `cat-${batch}-${index}`, value: 1 } as const
    })
    await records.batch({ changes })
  }
  await settle()
  t.is((await records.revision()).epoch, 0)
  t.is(HISTORY_FACTOR, 2)
})

test('should count removed records as history', async (t) => {
  const { memory, records } = openRecords(t)
  for (let round = 0; round < 10; round += 1) {
    await changeAll(records, round)
    await records.batch({ changes: KEYS.map((key) => ({ kind: 'remove', key })) })
  }
  await settle()
  t.ok((await records.revision()).epoch > 0)
  t.ok((witnessed(memory)?.length ?? Infinity) <= 2 + 20 + 2 * KEYS.length)
  t.is(await valueAt(records, 'cat-0'), undefined)
})

test('should give every record a new revision, so that a condition is checked again', async (t) => {
  const { records, clock } = openRecords(t)
  await changeAll(records, 0)
  const before = await records.get('cat-0')
  for (let round = 1; round <= 10; round += 1) await put(records, 'cat-1', round)
  for (let round = 1; round <= 10; round += 1) await put(records, 'cat-2', round)
  await settle()
  const after = await records.get('cat-0')
  t.is(after?.value, before?.value)
  t.ok((after?.revision.epoch ?? 0) > (before?.revision.epoch ?? 0))
  const conditions = [{ key: 'cat-0', revision: before?.revision ?? null }]
  const changes = [{ kind: 'put', key: 'cat-0', value: 1 }] as const
  t.absent((await records.batch({ conditions, changes })).committed)

  const increment: RecordCommand<string, number> = {
    keysOf: (key) => [key],
    decide: (state, key) => {
      const value = Number(state.get(key)) + 1
      return { changes: [{ kind: 'put', key, value }], answer: value }
    },
  }
  const runner = new CommandRunner({ records, clock })
  for (let count = 1; count <= 60; count += 1) t.is(await runner.run(increment, 'cat-0'), count)
})

test('should return every record once when the history is cut during a scan', async (t) => {
  const { records } = openRecords(t)
  const keys = Array.from({ length: 300 }, (_, index) => `key-${1_000 + index}`)
  await records.batch({ changes: keys.map((key) => ({ kind: 'put', key, value: 0 })) })
  const found: string[] = []
  for await (const { key } of records.scan({ from: 'key-' })) {
    found.push(key)
    if (found.length !== 100) continue
    for (let round = 1; round <= 700; round += 100) {
      await records.batch({
        changes: keys.slice(0, 100).map((name) => ({ kind: 'put', key: name, value: round })),
      })
    }
    await settle()
  }
  t.ok((await records.revision()).epoch > 0)
  t.alike(found, keys)
})

test('should serve reads and accept changes while the history is cut', async (t) => {
  const { records } = openRecords(t)
  await changeAll(records, 0)
  let reads = 0
  let isOver = false
  const reader = (async () => {
    while (!isOver) {
      const values = await Promise.all(KEYS.map((key) => valueAt(records, key)))
      if (values.some((value) => typeof value !== 'number')) t.fail(`read ${values}`)
      reads += 1
      await settle(1)
    }
  })()
  for (let round = 1; round <= 30; round += 1) {
    await Promise.all(KEYS.map((key) => put(records, key, round)))
    await settle(1)
  }
  isOver = true
  await reader
  t.ok(reads > 5 && (await records.revision()).epoch > 0, `${reads} reads`)
})

test('should have everything that was acknowledged when the power was cut at any moment', async (t) => {
  const memory = new DurableMemory()
  const acknowledged = new Map<string, number>()
  const cuts = collectPowerCuts(memory, new SeededRandom(9), () => new Map(acknowledged))
  const { records } = openRecords(t, memory)
  const writers = KEYS.map(async (key) => {
    for (let value = 1; value <= 20; value += 1) {
      await put(records, key, value)
      acknowledged.set(key, value)
    }
  })
  await Promise.all(writers)
  await settle()
  const { epoch } = await records.revision()
  t.ok(epoch >= 3, `${epoch} checkpoints, ${cuts.length} cuts`)
  for (const { disk, noted } of sampled(cuts)) {
    const { values, cores } = await reopened(disk)
    for (const [index, key] of KEYS.entries()) {
      const value = Number(values[index] ?? 0)
      if (value < (noted.get(key) ?? 0)) t.fail(`${key} is ${value}, not ${noted.get(key)}`)
    }
    if (cores > 2) t.fail(`${cores} cores`)
    const again = await reopened(disk)
    t.alike(again.values, values)
    if (again.cores !== 1) t.fail(`${again.cores} cores at the second start`)
  }
})

test('should keep the old core until the guard names the new one', async (t) => {
  const { memory, records } = openRecords(t)
  await changeAll(records, 1)
  await settle()
  memory.guard.failure = new Error('EROFS')
  for (let round = 2; round <= 6; round += 1) await changeAll(records, round)
  await settle()
  t.is((await records.revision()).epoch, 1)
  const cut = memory.afterPowerCut()
  t.alike(
    (await reopened(cut)).values,
    KEYS.map(() => 6),
    'the guard still names the old one',
  )
  t.is((await reopened(cut)).cores, 1, 'which is deleted later')
})

test('should refuse an older copy whose core was replaced since', async (t) => {
  const { memory, store, records } = openRecords(t)
  await changeAll(records, 1)
  const old = memory.afterPowerCut()
  for (let round = 2; round <= 6; round += 1) await changeAll(records, round)
  t.is((await records.revision()).epoch, 1)
  await records.close()
  await store.close()
  const stale = new DurableMemory(old.store, old.witness, memory.guard)
  const error = await rejectionOf(openMemoryStore(stale))
  t.is(Object(error).code, 'STORE_DAMAGED')
  t.ok(/older or another copy: .*"cats" held .* it is missing/.test(String(error)), String(error))
})

test('should use the newest complete core when the witness was removed', async (t) => {
  const memory = new DurableMemory()
  const acknowledged = new Map<string, number>()
  const cuts = collectPowerCuts(memory, new SeededRandom(2), () => new Map(acknowledged))
  const { records } = openRecords(t, memory)
  for (let value = 1; value <= 8; value += 1) {
    await changeAll(records, value)
    for (const key of KEYS) acknowledged.set(key, value)
  }
  await settle()
  t.ok((await records.revision()).epoch >= 1)
  for (const { disk, noted } of sampled(cuts)) {
    // With and without the guard.
    for (const guard of [disk.guard.copy(), new MemoryFile()]) {
      const { values } = await reopened(
        new DurableMemory(disk.store.copy(), new MemoryFile(), guard),
      )
      const lowest = Math.min(...values.map((value) => Number(value ?? 0)))
      if (lowest < (noted.get('cat-0') ?? 0)) t.fail(`${lowest}, not ${noted.get('cat-0')}`)
    }
  }
  t.pass()
})

/** From the nth write on the disk is full. @returns makes room again */
function fillAt(memory: DurableMemory, nth: number): () => void {
  const write = memory.store.write.bind(memory.store)
  const full = Object.assign(new Error('ENOSPC: write'), { code: 'ENOSPC' })
  let writes = 0
  let isFull = true
  memory.store.write = (batch) => {
    writes += 1
    if (isFull && writes >= nth) throw full
    write(batch)
  }
  return () => {
    isFull = false
  }
}

test('should lose nothing and go on when the disk was full at any write', async (t) => {
  const epochs = new Set<number>()
  for (let nth = 8; nth < 70; nth += 5) {
    const { memory, clock, store, records } = openRecords(t)
    await changeAll(records, 1)
    const makeRoom = fillAt(memory, nth)
    let acknowledged = 1
    for (let round = 2; round <= 20 && store.failure === null; round += 1) {
      const error = await changeAll(records, round).catch((reason: unknown) => reason)
      if (error === undefined) acknowledged = round
      else t.is(Object(error).code, 'DISK_FULL')
      await settle()
    }
    t.is(store.failure?.code, 'DISK_FULL', `write ${nth}`)
    t.ok(Number(await valueAt(records, 'cat-0')) >= acknowledged)
    epochs.add((await records.revision()).epoch)
    makeRoom()
    await clock.advance(STORE_WATCH_INTERVAL_MS)
    await until('the store to be opened anew', () => store.failure === null)
    t.ok(Number(await valueAt(records, 'cat-0')) >= acknowledged, `write ${nth}`)
    for (let round = 21; round <= 30; round += 1) await changeAll(records, round)
    await settle()
    await records.close()
    t.alike(await reopened(memory.copy()), { values: KEYS.map(() => 30), cores: 1 })
  }
  t.ok(epochs.size > 1, 'before and after a checkpoint')
})

test('should never use a core that was not filled to its end', async (t) => {
  // Each write up to the end of the first checkpoint.
  for (let nth = 8; nth < 40; nth += 1) {
    const { memory, store, records } = openRecords(t)
    await changeAll(records, 1)
    fillAt(memory, nth)
    let acknowledged = 1
    for (let round = 2; round <= 8 && store.failure === null; round += 1) {
      const error = await changeAll(records, round).catch((reason: unknown) => reason)
      if (error === undefined) acknowledged = round
      await settle(1)
    }
    const { values } = await reopened(new DurableMemory(memory.store.copy()))
    if (values.some((value) => Number(value ?? 0) < acknowledged)) t.fail(`${values}, write ${nth}`)
  }
  t.pass()
})
