import test, { type Test } from 'brittle'
import {
  ScriptedEngine,
  type ScriptedEngineOptions,
} from '../../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import type { ModelDetails } from '../../../../helpers/protocol/processor-protocol.js'
import { EnginePool } from '../../../../workers/processor/engine-pool.js'
import { SoleBudget } from '../../../../workers/processor/memory-budget.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { settle } from '../../../helpers/until.js'

const NEVER = new AbortController().signal

/** A pool with room for 100 bytes of models, each of which takes what is said. */
function scene(
  t: Test,
  sizes: Record<string, number>,
  options: ScriptedEngineOptions = {},
  details: ModelDetails = {},
) {
  const clock = new VirtualClock()
  const engines: Record<string, ScriptedEngine> = {}
  const offers = Object.entries(sizes).map(([model, memoryBytes]) => {
    const engine = new ScriptedEngine({ ...options, model, memoryBytes })
    engines[model] = engine
    return { model, engine, slots: 1, describe: async () => details }
  })
  const pool = new EnginePool({ offers, budget: new SoleBudget(100), queueLength: 1, clock })
  const cleanup = new Cleanup(t)
  cleanup.add(() => pool.close())
  const loaded = () => Object.keys(engines).filter((model) => engines[model]?.isLoaded)
  const touch = async (model: string) => (await pool.use(model, NEVER)).release()
  /** What the pool offers of a model. */
  const offered = (model: string) => pool.offered.find(({ name }) => name === model)
  return { clock, pool, engines, loaded, touch, offered }
}

test('should load only the first model when it starts', async (t) => {
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

test('should load a model once when it is requested', async (t) => {
  let loads = 0
  const { pool, touch, loaded } = scene(t, { a: 10, b: 10 }, { beforeLoad: () => void loads++ })
  await touch('b')
  await touch('b')
  t.alike(loaded(), ['b'])
  t.is(loads, 1)
  t.is(pool.offered.find(({ name }) => name === 'b')?.isLoaded, true)
})

test('should unload the least recently used model when memory runs short', async (t) => {
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
  await t.exception(pool.use('b', NEVER), { code: 'OVERLOADED', retryAfterMs: undefined })
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

test('should reserve memory between preparing and loading, and discard the prepared model when there is none', async (t) => {
  const { pool, engines, touch } = scene(t, { a: 60, b: 60 })
  const steps: string[] = []
  for (const [model, engine] of Object.entries(engines)) {
    for (const step of ['prepare', 'load', 'unload'] as const) {
      const real = engine[step].bind(engine)
      Object.assign(engine, {
        [step]: (signal?: AbortSignal) => {
          steps.push(`${step} ${model}: ${pool.resources.takenBytes}`)
          return real(signal)
        },
      })
    }
  }
  const { release } = await pool.use('a', NEVER)
  await t.exception(touch('b'), { code: 'OVERLOADED' })
  release()
  await touch('b')
  t.alike(steps, [
    ...['prepare a: 0', 'load a: 60'],
    ...['prepare b: 60', 'unload b: 60'],
    ...['prepare b: 60', 'unload a: 60', 'load b: 60'],
  ])
})

test('should not reserve the same memory twice when two models are loaded at once', async (t) => {
  const { pool, loaded } = scene(t, { a: 60, b: 60 })
  const uses = await Promise.allSettled([pool.use('a', NEVER), pool.use('b', NEVER)])
  t.alike(
    uses.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  t.alike(loaded(), ['a'])
})

test('should release the slot and the memory when a load fails', async (t) => {
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

test('should continue a load for the other requests when one stops waiting', async (t) => {
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

test('should name the served models when another one is requested', async (t) => {
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

test('should estimate the load time by size first, then by measurement', async (t) => {
  const at: { clock?: VirtualClock } = {}
  const { clock, pool, touch, offered } = scene(
    t,
    { a: 60, b: 60 },
    { beforeLoad: () => at.clock?.sleep(700) },
    { sizeBytes: 50 },
  )
  at.clock = clock
  t.ok((offered('a')?.loadMs ?? 0) > 10_000, 'of a model of unknown size nothing good is expected')
  await clock.advanceUntil(pool.loadFirst())
  t.is(offered('a')?.loadMs, 0)
  t.is(Math.round(offered('b')?.loadMs ?? 0), 1_500)
  const loading = touch('b')
  await settle()
  await clock.advance(600)
  t.is(Math.round(offered('b')?.loadMs ?? 0), 900, 'less what has passed')
  await clock.advanceUntil(loading)
  t.is(offered('b')?.loadMs, 0)
  t.is(offered('a')?.loadMs, 700)
})

test('should report which models a load would unload', async (t) => {
  const at: { clock?: VirtualClock } = {}
  const { clock, pool, touch, offered } = scene(
    t,
    { a: 60, b: 60, c: 30 },
    { beforeLoad: () => at.clock?.sleep(700) },
  )
  at.clock = clock
  await clock.advanceUntil(touch('b'))
  await clock.advanceUntil(touch('a'))
  t.is(offered('b')?.displacedMs, 700, 'a would have to be loaded again')
  t.is(offered('a')?.displacedMs, 0)
  const { release } = await pool.use('a', NEVER)
  t.is(offered('b')?.hindrance, 'memory', 'a is answering')
  t.is(offered('b')?.displacedMs, 0)
  await clock.advanceUntil(touch('c'))
  t.is(offered('c')?.hindrance, undefined, 'beside it there is room')
  release()
  t.is(offered('b')?.hindrance, undefined)
})

test('should unload nothing for a model that would still not fit', async (t) => {
  const { pool, touch, loaded } = scene(t, { a: 50, b: 20, c: 80 })
  await touch('b')
  const { release } = await pool.use('a', NEVER)
  await t.exception(pool.use('c', NEVER), { code: 'OVERLOADED' })
  t.alike(loaded(), ['a', 'b'])
  release()
})

test('should refuse requests for a while for a model that could not be loaded', async (t) => {
  let failing = true
  const { clock, pool, offered, touch } = scene(
    t,
    { a: 60, giant: 101 },
    {
      beforeLoad: () => {
        if (failing) throw new StarlingError('MODEL_INVALID', 'broken')
      },
    },
  )
  t.is(offered('a')?.hindrance, undefined)
  await t.exception(pool.use('a', NEVER), { code: 'MODEL_INVALID' })
  t.is(offered('a')?.hindrance, 'failure')
  await clock.advance(30_000)
  t.is(offered('a')?.hindrance, undefined, 'it may be mended')
  await t.exception(pool.use('a', NEVER), { code: 'MODEL_INVALID' })
  failing = false
  await touch('a')
  t.is(offered('a')?.hindrance, undefined)
  await t.exception(pool.use('giant', NEVER), { code: 'MEMORY_INSUFFICIENT' })
  await clock.advance(30_000)
  t.is(offered('giant')?.hindrance, 'failure', 'what does not fit never will')
})

test('should report how long answers take, and when memory becomes free', async (t) => {
  const { clock, pool, offered } = scene(t, { a: 60, b: 60 })
  t.is(offered('a')?.answerMs, undefined)
  const answer = async (durationMs: number) => {
    const { answered, release } = await pool.use('a', NEVER)
    await clock.advance(durationMs)
    answered()
    release()
  }
  await answer(1_000)
  t.is(offered('a')?.answerMs, 1_000)
  await answer(2_000)
  t.is(offered('a')?.answerMs, 1_200, 'the latest counts for a fifth')
  const { release } = await pool.use('a', NEVER)
  await t.exception(pool.use('b', NEVER), { code: 'OVERLOADED', retryAfterMs: 1_200 })
  release()
  t.is(offered('a')?.answerMs, 1_200, 'what did not end well says nothing')
})

test('should refuse requests for a while when a server is unreachable', async (t) => {
  const { pool, offered, touch } = scene(t, { a: 60 })
  const use = await pool.use('a', NEVER)
  use.failed(new StarlingError('CONTEXT_TOO_LONG', 'too long'))
  t.is(offered('a')?.hindrance, undefined)
  use.failed(new StarlingError('ENGINE_UNREACHABLE', 'gone'))
  use.release()
  t.is(offered('a')?.hindrance, 'failure')
  await touch('a')
  t.is(offered('a')?.hindrance, 'failure', 'that it is loaded says nothing of its server')
  const other = await pool.use('a', NEVER)
  other.answered()
  other.release()
  t.is(offered('a')?.hindrance, undefined)
})
