import test, { type Test } from 'brittle'
import {
  ScriptedEngine,
  type ScriptedEngineOptions,
} from '../../../../facilities/engine/scripted-engine.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { EnginePool } from '../../../../workers/processor/engine-pool.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { settle } from '../../../helpers/until.js'

const NEVER = new AbortController().signal

/** A pool with room for 100 bytes of models, each of which takes what is said. */
function scene(t: Test, sizes: Record<string, number>, options: ScriptedEngineOptions = {}) {
  const engines: Record<string, ScriptedEngine> = {}
  const offers = Object.entries(sizes).map(([model, memoryBytes]) => {
    const engine = new ScriptedEngine({ ...options, model, memoryBytes })
    engines[model] = engine
    return { model, engine, slots: 1, describe: async () => ({}) }
  })
  const pool = new EnginePool({ offers, memoryBytes: 100, queueLength: 1 })
  const cleanup = new Cleanup(t)
  cleanup.add(() => pool.close())
  const loaded = () => Object.keys(engines).filter((model) => engines[model]?.isLoaded)
  const touch = async (model: string) => (await pool.use(model, NEVER)).release()
  return { pool, engines, loaded, touch }
}

test('should load the first model alone when it starts', async (t) => {
  const { pool, loaded } = scene(t, { a: 10, b: 10 })
  t.alike(loaded(), [])
  await pool.loadFirst()
  t.alike(loaded(), ['a'])
  t.alike(
    pool.offered.map(({ name, isLoaded, contextTokens }) => [name, isLoaded, contextTokens]),
    [
      ['a', true, 4096],
      ['b', false, undefined],
    ],
  )
})

test('should load a model when it is asked for, once', async (t) => {
  let loads = 0
  const { pool, touch, loaded } = scene(t, { a: 10, b: 10 }, { beforeLoad: () => void loads++ })
  await touch('b')
  await touch('b')
  t.alike(loaded(), ['b'])
  t.is(loads, 1)
  t.is(pool.offered.find(({ name }) => name === 'b')?.isLoaded, true)
})

test('should unload what was not used for longest when memory runs short', async (t) => {
  const { touch, loaded } = scene(t, { a: 40, b: 40, c: 40, d: 80 })
  await touch('a')
  await touch('b')
  await touch('a')
  await touch('c')
  t.alike(loaded(), ['a', 'c'])
  await touch('d')
  t.alike(loaded(), ['d'], 'as many as it takes')
  await touch('b')
  t.alike(loaded(), ['b'])
})

test('should never unload a model that is answering', async (t) => {
  const { pool, touch, loaded } = scene(t, { a: 60, b: 60 })
  const { release } = await pool.use('a', NEVER)
  await t.exception(pool.use('b', NEVER), { code: 'OVERLOADED', retryAfterMs: 1000 })
  t.alike(loaded(), ['a'])
  t.alike(
    pool.offered.map(({ running }) => running),
    [1, 0],
    'who was refused holds no slot',
  )
  release()
  release()
  await touch('b')
  t.alike(loaded(), ['b'])
})

test('should refuse a model that could never fit', async (t) => {
  const { pool, loaded } = scene(t, { a: 10, giant: 101 })
  await pool.loadFirst()
  await t.exception(pool.use('giant', NEVER), { code: 'MEMORY_INSUFFICIENT' })
  t.alike(loaded(), ['a'], 'and unload nothing for it')
})

test('should not count on the same room twice when two models are loaded at once', async (t) => {
  const { pool, loaded } = scene(t, { a: 60, b: 60 })
  const uses = await Promise.allSettled([pool.use('a', NEVER), pool.use('b', NEVER)])
  t.alike(
    uses.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  t.alike(loaded(), ['a'])
})

test('should give the slot and the memory back when a load fails', async (t) => {
  let failing = true
  const { pool, touch, loaded } = scene(
    t,
    { a: 60, b: 60 },
    {
      beforeLoad: () => {
        if (failing) throw new StarlingError('MODEL_INVALID', 'broken')
      },
    },
  )
  await t.exception(pool.use('a', NEVER), { code: 'MODEL_INVALID' })
  failing = false
  await touch('b')
  t.alike(loaded(), ['b'])
  t.is(pool.offered[0]?.running, 0)
})

test('should leave a load to the others when somebody gives up waiting', async (t) => {
  let finish = () => {}
  const gate = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { pool, loaded } = scene(t, { a: 10 }, { beforeLoad: () => gate })
  const first = pool.use('a', NEVER)
  const controller = new AbortController()
  const second = pool.use('a', controller.signal)
  await settle()
  controller.abort(new StarlingError('CANCELLED', 'gone'))
  await t.exception(second, { code: 'CANCELLED' })
  finish()
  ;(await first).release()
  t.alike(loaded(), ['a'])
})

test('should name what it serves when it is asked for another model', async (t) => {
  const { pool } = scene(t, { a: 10, b: 10 })
  await t.exception(pool.use('c', NEVER), {
    code: 'MODEL_UNAVAILABLE',
    message: 'The processor serves a, b, not c',
  })
})

test('should refuse to start when nothing is offered', async (t) => {
  const { pool } = scene(t, {})
  await t.exception(pool.loadFirst(), { code: 'MODEL_NOT_FOUND' })
})
