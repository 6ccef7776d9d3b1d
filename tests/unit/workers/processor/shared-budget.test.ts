import { chmod } from 'node:fs/promises'
import test, { type Test } from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { Home } from '../../../../facilities/home/home.js'
import { createLog } from '../../../../facilities/log/log.js'
import { memoryUseOf } from '../../../../helpers/limits/budget-shares.js'
import { EnginePool } from '../../../../workers/processor/engine-pool.js'
import {
  createBudget,
  type ProcessorEntry,
  type ProcessorLedger,
  SharedBudget,
} from '../../../../workers/processor/shared-budget.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const NEVER = new AbortController().signal

/** What processors tell each other, in memory. */
class MemoryLedgers {
  readonly entries = new Map<string, ProcessorEntry | undefined>()
  /** What every call fails with. */
  failure: Error | null = null

  ledger(name: string): ProcessorLedger {
    return {
      name,
      ready: async () => undefined,
      update: async (decide) => {
        if (this.failure !== null) throw this.failure
        const others = new Map([...this.entries].filter(([other]) => other !== name))
        const entry = decide(others)
        this.entries.set(name, entry)
        return entry
      },
      close: async () => {
        this.entries.delete(name)
      },
    }
  }
}

/** A home whose processors share 100 bytes of memory, 125 being free, and 8 threads. */
function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const ledgers = new MemoryLedgers()
  const failures: unknown[] = []
  let freeBytes = 125
  const budget = async (name: string, settings: { memory?: number; threads?: number } = {}) => {
    const made = new SharedBudget({
      settings: { memoryMebibytes: settings.memory ?? 'auto', threads: settings.threads ?? 'auto' },
      ledger: ledgers.ledger(name),
      clock,
      onFailure: (error) => failures.push(error),
      availableBytes: () => freeBytes,
      availableThreads: () => 8,
    })
    cleanup.add(() => made.close())
    await made.ready()
    return made
  }
  /** A processor with models of these sizes, by their names. */
  const processor = async (name: string, sizes: Record<string, number>) => {
    const engines = new Map<string, ScriptedEngine>()
    const threads: number[] = []
    const offers = Object.entries(sizes).map(([model, memoryBytes]) => {
      const engine = Object.assign(new ScriptedEngine({ model, memoryBytes }), {
        limitThreads: (most: number) => threads.push(most),
      })
      engines.set(model, engine)
      return { model, engine, slots: 1, describe: async () => ({}) }
    })
    const shared = await budget(name)
    const pool = new EnginePool({ offers, budget: shared, queueLength: 1, clock })
    cleanup.add(() => pool.close())
    const loaded = () => [...engines].flatMap(([model, { isLoaded }]) => (isLoaded ? [model] : []))
    const use = (model: string) => pool.use(model, NEVER)
    const touch = async (model: string) => (await use(model)).release()
    return { pool, budget: shared, loaded, use, touch, threads }
  }
  /** Lets processors look at the others. */
  const look = async (...budgets: SharedBudget[]) => {
    for (const one of budgets) await clock.advanceUntil(one.looked())
  }
  const free = (bytes: number) => {
    freeBytes = bytes
  }
  return { ledgers, clock, failures, budget, processor, look, free }
}

test('should use the whole budget when it is the only processor of its home', async (t) => {
  const { budget } = scene(t)
  const one = await budget('processor')
  t.is(one.totalBytes, 100, 'four fifths of what is free')
  t.is(one.shareBytes, 100)
  t.is(one.threads, 8)
  t.is(await one.take(memoryUseOf([60, 40])), 'granted')
})

test('should use no more memory together than one processor would alone', async (t) => {
  const { processor, look } = scene(t)
  const one = await processor('processor', { a: 40, b: 40 })
  const two = await processor('processor-2', { a: 40, b: 40 })
  await look(one.budget, two.budget)
  t.alike([one.budget.shareBytes, two.budget.shareBytes], [50, 50])
  t.alike([one.budget.threads, two.budget.threads], [4, 4])
  t.alike([one.threads.at(-1), two.threads.at(-1)], [4, 4], 'and engines are told')
  for (const { touch, loaded } of [one, two]) {
    await touch('a')
    await touch('b')
    t.alike(loaded(), ['b'], 'the second in the place of the first')
  }
  t.is(one.pool.resources.takenBytes + two.pool.resources.takenBytes, 80)
})

test('should refuse a model when the other processors leave too little memory', async (t) => {
  const { processor } = scene(t)
  const one = await processor('processor', { large: 60 })
  const two = await processor('processor-2', { large: 60 })
  await one.pool.loadFirst()
  await t.exception(two.pool.loadFirst(), { code: 'MEMORY_INSUFFICIENT' })
  t.alike([one.loaded(), two.loaded()], [['large'], []])
  await one.pool.close()
  await one.budget.close()
  await two.pool.loadFirst()
  t.alike(two.loaded(), ['large'], 'once the other is gone there is')
})

test('should release what is above its share when another processor starts', async (t) => {
  const { clock, processor } = scene(t)
  const one = await processor('processor', { a: 30, b: 30, c: 30 })
  for (const model of ['a', 'b', 'c']) await one.touch(model)
  const { release } = await one.use('a')
  const two = await processor('processor-2', { a: 40 })
  const starting = two.pool.loadFirst()
  await clock.advanceUntil(starting)
  t.alike(one.loaded(), ['a'], 'what answers stays, what is idle goes')
  t.alike(two.loaded(), ['a'])
  release()
})

test('should release an answering model as soon as it is idle', async (t) => {
  const { clock, processor, look } = scene(t)
  const one = await processor('processor', { a: 40, b: 40 })
  const uses = [await one.use('a'), await one.use('b')]
  const two = await processor('processor-2', { a: 40 })
  const starting = two.pool.loadFirst()
  await look(one.budget, two.budget)
  t.alike(two.loaded(), [], 'it waits')
  uses[0]?.release()
  await clock.advanceUntil(starting)
  t.alike([one.loaded(), two.loaded()], [['b'], ['a']])
  uses[1]?.release()
})

test('should refuse a request with a retry time, without waiting, when others must release memory', async (t) => {
  const { processor } = scene(t)
  const one = await processor('processor', { a: 40, b: 40 })
  for (const model of ['a', 'b']) await one.use(model)
  const two = await processor('processor-2', { small: 5, a: 40 })
  await two.touch('small')
  await t.exception(two.use('a'), { code: 'OVERLOADED' })
})

test('should use the whole budget again when the other processor has ended', async (t) => {
  const { processor, look } = scene(t)
  const one = await processor('processor', { a: 40 })
  const two = await processor('processor-2', { a: 40 })
  await look(one.budget)
  t.is(one.budget.threads, 4)
  await two.budget.close()
  await look(one.budget)
  t.alike([one.budget.shareBytes, one.budget.threads, one.threads.at(-1)], [100, 8, 8])
})

test('should use the measurement of the first processor when others already use memory', async (t) => {
  const { budget, free } = scene(t)
  const one = await budget('processor')
  await one.take(memoryUseOf([80]))
  free(45)
  const two = await budget('processor-2')
  t.is(two.totalBytes, 100, 'as the first one measured it')
})

test('should add what the others use when their memory is configured', async (t) => {
  const { budget, free } = scene(t)
  const one = await budget('processor', { memory: 1 })
  t.is(one.totalBytes, 2 ** 20)
  await one.take(memoryUseOf([2 ** 19]))
  free(125)
  t.is((await budget('processor-2')).totalBytes, 2 ** 19 + 100)
  t.is((await budget('processor-3', { memory: 2 })).totalBytes, 2 * 2 ** 20)
})

test('should divide the configured threads', async (t) => {
  const { budget, look } = scene(t)
  const three = [
    await budget('processor', { threads: 4 }),
    await budget('processor-2', { threads: 4 }),
    await budget('processor-3', { threads: 4 }),
  ]
  await look(...three)
  t.alike(
    three.map(({ threads }) => threads),
    [2, 1, 1],
  )
})

test('should report it and try again when it cannot read the other shares', async (t) => {
  const { ledgers, budget, failures, look } = scene(t)
  const one = await budget('processor')
  ledgers.failure = new Error('the disk is full')
  await one.give(memoryUseOf([5]))
  await look(one)
  t.alike(failures, [ledgers.failure, ledgers.failure])
  ledgers.failure = null
  await look(one)
  t.is(ledgers.entries.get('processor')?.takenBytes, 5)
  t.is(failures.length, 2)
})

test('should ignore a processor whose entry it does not understand', async (t) => {
  const { ledgers, budget } = scene(t)
  ledgers.entries.set('processor', undefined)
  const two = await budget('processor-2')
  t.alike([two.totalBytes, two.shareBytes, two.threads], [100, 50, 4])
})

test('should not wait for other processors once it is closed', async (t) => {
  const { budget, clock } = scene(t)
  const one = await budget('processor')
  const looked = one.looked()
  await one.close()
  await looked
  await one.looked()
  t.is(clock.pending, 0)
})

test('should share no budget when models run on another server', async (t) => {
  const home = await Home.open(await t.tmp())
  const log = createLog({ name: 'x', level: 'silent', json: true, output: { write: () => {} } })
  const host = { home, identity: { name: 'processor' }, clock: new VirtualClock(), log }
  const settings = { memoryMebibytes: 1, threads: 'auto' } as const
  const sole = await createBudget({ ...settings, engines: ['ollama', 'openai'] }, host)
  t.is(sole.threads, null)
  const shared = await createBudget({ ...settings, engines: ['ollama', 'llama'] }, host)
  t.ok(shared instanceof SharedBudget)
  await chmod(home.path('shares'), 0o777)
  const refused = createBudget({ ...settings, engines: ['llama'] }, host)
  await t.exception(refused, { code: 'HOME_UNUSABLE' })
})
