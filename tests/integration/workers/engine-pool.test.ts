import test, { type Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { EnginePool } from '../../../workers/processor/engine-pool.js'
import { SoleBudget } from '../../../workers/processor/memory-budget.js'
import { collect, generate, standInLlama } from '../../helpers/engine/tiny-llama.js'
import { isRunning } from '../../helpers/processes/process-gone.js'
import { until } from '../../helpers/until.js'

const never = new AbortController().signal

/** A pool of two models that are the same but for their names, and room for so many of them. */
async function scene(t: Test, room: number) {
  const [one, other] = [standInLlama(t), standInLlama(t)]
  const describe = async () => ({})
  const pool = new EnginePool({
    clock: new SystemClock(),
    offers: [
      { model: 'one', engine: one, slots: 2, describe },
      { model: 'other', engine: other, slots: 2, describe },
    ],
    budget: new SoleBudget(room),
    queueLength: 2,
  })
  t.teardown(async () => await pool.close())
  await pool.loadFirst()
  return { pool, one, other }
}

async function answerOf(pool: EnginePool, model: string): Promise<string> {
  const { engine, release } = await pool.use(model, never)
  try {
    return (await collect(generate(engine, 'Once upon a time', { maxTokens: 5 }))).text
  } finally {
    release()
  }
}

test('should give the memory of an idle model to the requested one', async (t) => {
  const { pool, one, other } = await scene(t, 1)
  const text = await answerOf(pool, 'one')
  const first = one.processId ?? 0
  t.is(await answerOf(pool, 'other'), text)
  t.absent(await isRunning(first), 'the process of the first is gone')
  t.ok(other.processId)

  const { engine, release } = await pool.use('other', never)
  const generation = generate(engine, 'Once upon a time', { maxTokens: 100 })
  await generation.next()
  await t.exception(pool.use('one', never), { code: 'OVERLOADED' })
  t.is((await collect(generation)).tokenIds.length, 99, 'who answers is left alone')
  release()
  t.is(await answerOf(pool, 'one'), text)
})

test('should continue with the other model when the process of one is killed', async (t) => {
  const { pool, one } = await scene(t, 2)
  const text = await answerOf(pool, 'one')
  const { engine, release } = await pool.use('other', never)
  const generation = generate(engine, 'Once upon a time', { maxTokens: 100 })
  await generation.next()
  process.kill(one.processId ?? 0, 'SIGKILL')
  await until('its end to be noticed', () => one.status().state === 'stopped')
  t.is((await collect(generation)).tokenIds.length, 99)
  release()
  t.is(await answerOf(pool, 'one'), text, 'and the killed one is started again')
  t.is(one.status().restarts, 1)
})
