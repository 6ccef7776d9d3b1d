import test, { type Test } from 'brittle'
import type { LocalRecords } from '../../../../facilities/store/local-records.js'
import type { RecordEvent, Revision } from '../../../../helpers/store/record.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import {
  DurableMemory,
  durableMemoryStore,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, put } from '../../../helpers/storage/local-records.js'
import { rejectionOf, settle, until } from '../../../helpers/until.js'

function scene(t: Test, memory = new DurableMemory(), minHistoryBlocks = 10_000) {
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store, 'cats', { minHistoryBlocks })
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  return { memory, clock, store, records }
}

/** What a follower has seen so far, until it is stopped. */
function follow(t: Test, records: LocalRecords, since: Revision) {
  const events: RecordEvent[] = []
  const stop = new AbortController()
  const ended = (async () => {
    for await (const event of records.follow(since, stop.signal)) events.push(event)
  })()
  t.teardown(() => stop.abort(), { order: -2 })
  return { events, ended, stop: () => stop.abort(new Error('enough')) }
}

function textOf(event: RecordEvent): string {
  return event.kind === 'put' ? `${event.key}=${event.value}` : `${event.kind}`
}

async function remove(records: LocalRecords, key: string): Promise<void> {
  await records.batch({ changes: [{ kind: 'remove', key }] })
}

test('should give the changes since a revision in order, and then the new ones', async (t) => {
  const { records } = scene(t)
  await put(records, 'tom', 1)
  const since = await records.revision()
  await put(records, 'kit', 2)
  await remove(records, 'tom')
  await remove(records, 'nobody')
  const { events } = follow(t, records, since)
  await until('the changes', () => events.length === 2)
  await put(records, 'tom', 3)
  await until('the new one', () => events.length === 3)
  t.alike(events.map(textOf), ['kit=2', 'removed', 'tom=3'])
  t.alike(events.at(-1), { kind: 'put', ...(await records.get('tom')) })
  t.alike(Object(events[1]).key, 'tom')
})

test('should continue after the last event that was seen', async (t) => {
  const { records } = scene(t)
  const since = await records.revision()
  const changes = Array.from({ length: 300 }, (_, index) => {
    return { kind: 'put', key: `cat-${index}`, value: index } as const
  })
  await records.batch({ changes })
  const first = follow(t, records, since)
  await until('all', () => first.events.length === 300)
  for (const index of [0, 150, 255, 256, 298]) {
    const { revision } = Object(first.events[index])
    const second = follow(t, records, revision)
    await until('the rest', () => second.events.length === 299 - index)
    t.alike(second.events, first.events.slice(index + 1))
  }
})

test('should give a change only when it is on disk', async (t) => {
  const { memory, records } = scene(t)
  const { events } = follow(t, records, await records.revision())
  const sync = memory.sync.bind(memory)
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  memory.sync = async () => {
    await held
    await sync()
  }
  const stored = put(records, 'tom', 1)
  await settle(20)
  t.is(events.length, 0)
  release()
  await stored
  await until('the change', () => events.length === 1)
})

test('should end when the signal is aborted, before or while it waits', async (t) => {
  const { records } = scene(t)
  const waiting = follow(t, records, await records.revision())
  await settle()
  waiting.stop()
  await waiting.ended
  for await (const event of records.follow(await records.revision(), AbortSignal.abort())) {
    t.fail(textOf(event))
  }
  t.alike(waiting.events, [])
})

test('should fail when the records are closed', async (t) => {
  const { records } = scene(t)
  const { ended } = follow(t, records, await records.revision())
  const failure = rejectionOf(ended)
  await settle()
  await records.close()
  t.is(Object(await failure).code, 'DRAINING')
})

test('should go on when the history is cut and the follower has seen all of it', async (t) => {
  const { records } = scene(t, new DurableMemory(), 20)
  const since = await records.revision()
  const { events } = follow(t, records, since)
  for (let value = 1; value <= 100; value += 1) {
    await put(records, 'tom', value)
    await until('the change', () => events.length === value)
  }
  t.ok((await records.revision()).epoch > 2)
  t.alike(
    events.map(textOf),
    Array.from({ length: 100 }, (_, index) => `tom=${index + 1}`),
  )
})

test('should say that the history was cut when the follower has not seen all of it', async (t) => {
  const { records } = scene(t, new DurableMemory(), 20)
  const since = await records.revision()
  for (let value = 1; value <= 60; value += 1) await put(records, 'tom', value)
  await settle()
  const { epoch } = await records.revision()
  t.ok(epoch > 1)
  for (const revision of [since, { epoch: epoch + 1, sequence: 0 }, { epoch, sequence: 10_000 }]) {
    const { events, ended } = follow(t, records, revision)
    await ended
    t.alike(events, [{ kind: 'cut' }])
  }
})

test('should go on when the store is opened anew, and after a start', async (t) => {
  const { memory, clock, records } = scene(t)
  await put(records, 'tom', 1)
  const since = await records.revision()
  const { events, ended, stop } = follow(t, records, since)
  memory.logIsFull = true
  await clock.advance(2_000)
  memory.logIsFull = false
  await put(records, 'tom', 2)
  await until('the change', () => events.length === 1)
  stop()
  await ended
  await records.close()

  const store = await openMemoryStore(memory.copy())
  const again = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => again.close(), { order: -1 })
  const second = follow(t, again, since)
  await until('the change again', () => second.events.length === 1)
  t.alike(second.events, events)
})

test('should keep a copy the same as the records whatever is changed', async (t) => {
  const { records } = scene(t, new DurableMemory(), 40)
  const random = new SeededRandom(6)
  const stop = new AbortController()
  t.teardown(() => stop.abort(), { order: -2 })
  const copy = new Map<string, unknown>()
  let cuts = 0
  let seen: Revision = await records.revision()
  const follower = (async () => {
    while (!stop.signal.aborted) {
      const since = await records.revision()
      copy.clear()
      for await (const { key, value } of records.scan({})) copy.set(key, value)
      seen = since
      for await (const event of records.follow(since, stop.signal)) {
        if (event.kind === 'cut') cuts += 1
        else seen = event.revision
        if (event.kind === 'put') copy.set(event.key, event.value)
        if (event.kind === 'removed') copy.delete(event.key)
        // A slow reader misses some of the history.
        if (random.below(20) === 0) await settle(random.below(60))
      }
    }
  })()
  for (let change = 0; change < 400; change += 1) {
    const key = `cat-${random.below(10)}`
    if (random.below(3) === 0) await remove(records, key)
    else await put(records, key, change)
  }
  await put(records, 'last', 1)
  await until('the last change', () => copy.get('last') === 1)
  const expected: [string, unknown][] = []
  for await (const { key, value } of records.scan({})) expected.push([key, value])
  t.alike([...copy].sort(), expected)
  t.ok((await records.revision()).epoch > 1)
  t.comment(`${cuts} cuts seen, at ${seen.epoch}/${seen.sequence}`)
  stop.abort()
  await follower
})
