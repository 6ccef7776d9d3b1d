import test, { type Test } from 'brittle'
import { CommandRunner, MAX_COMMAND_ATTEMPTS } from '../../../../facilities/store/command-runner.js'
import type { LocalRecords } from '../../../../facilities/store/local-records.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import type { RecordCommand } from '../../../../helpers/store/record-command.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert, valueAt } from '../../../helpers/storage/local-records.js'

/** Adds to a number, which is kept with the time of the last change. Answers the sum. */
const add: RecordCommand<{ readonly key: string; readonly amount: number }, number> = {
  keysOf: ({ key }) => [key],
  decide(state, { key, amount }, timeMs) {
    const sum = Number(Object(state.get(key)).sum ?? 0) + amount
    if (amount === 0) return { changes: [], answer: sum }
    return { changes: [{ kind: 'put', key, value: { sum, timeMs } }], answer: sum }
  },
}

function scene(t: Test) {
  const store = durableMemoryStore()
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  const clock = new VirtualClock()
  return { records, clock, runner: new CommandRunner({ records, clock }) }
}

/** Changes the record `sum` before each of the next batches of a runner. */
function interfere(records: LocalRecords, times: number): { readonly tries: () => number } {
  const batch = records.batch.bind(records)
  let tries = 0
  records.batch = async (changes) => {
    tries += 1
    if (tries <= times) {
      await batch({ changes: [{ kind: 'put', key: 'sum', value: { sum: 100 * tries } }] })
    }
    return await batch(changes)
  }
  return { tries: () => tries }
}

test('should make the changes of a command, at the time of the clock, and return its answer', async (t) => {
  const { records, clock, runner } = scene(t)
  t.is(await runner.run(add, { key: 'sum', amount: 2 }), 2)
  await clock.advance(1_000)
  t.is(await runner.run(add, { key: 'sum', amount: 3 }), 5)
  t.alike(await valueAt(records, 'sum'), { sum: 5, timeMs: clock.now() })
})

test('should write nothing when a command changes nothing', async (t) => {
  const { records, runner } = scene(t)
  await insert(records, 'sum', { sum: 7 })
  const before = await records.revision()
  t.is(await runner.run(add, { key: 'sum', amount: 0 }), 7)
  t.alike(await records.revision(), before)
})

test('should lose no change when many commands change one record at once', async (t) => {
  const { records, runner } = scene(t)
  await Promise.all(Array.from({ length: 10 }, () => runner.run(add, { key: 'sum', amount: 1 })))
  t.is(Object(await valueAt(records, 'sum')).sum, 10)
})

test('should decide again when a record was changed since it was read', async (t) => {
  const { records, runner } = scene(t)
  const { tries } = interfere(records, 2)
  t.is(await runner.run(add, { key: 'sum', amount: 1 }), 201)
  t.is(tries(), 3)
})

test('should give up when a record is changed again and again', async (t) => {
  const { records, runner } = scene(t)
  const { tries } = interfere(records, Infinity)
  await t.exception(runner.run(add, { key: 'sum', amount: 1 }), { code: 'OVERLOADED' })
  t.is(tries(), MAX_COMMAND_ATTEMPTS)
})

test('should pass on what a command refuses', async (t) => {
  const { records, runner } = scene(t)
  const refuse: RecordCommand<string, never> = {
    keysOf: (key) => [key],
    decide: () => {
      throw new StarlingError('FORBIDDEN', 'Not that')
    },
  }
  await t.exception(runner.run(refuse, 'sum'), { code: 'FORBIDDEN' })
  t.is(await records.get('sum'), undefined)
})
