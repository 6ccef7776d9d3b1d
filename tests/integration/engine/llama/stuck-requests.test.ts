import { EventEmitter, once } from 'node:events'
import test, { type Test } from 'brittle'
import { PING_INTERVAL_MS } from '../../../../facilities/engine/llama/child-heartbeat.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { answer, collect, generate, standInLlama } from '../../../helpers/engine/tiny-llama.js'

const ENDLESS = { maxTokens: 4_096 }
const STUCK = 'a schema that gets stuck'

async function scene(t: Test) {
  const clock = new VirtualClock()
  const lines = new EventEmitter()
  const engine = standInLlama(t, { clock, onLog: (line) => lines.emit(line) })
  await engine.load()
  /** An answer that goes on, of which the first token was read. */
  const begun = async () => {
    const generation = generate(engine, 'another answer', ENDLESS)
    await generation.next()
    return generation
  }
  /** Lets the engine ask its process how it is, for 30 s at most. */
  const askUntil = async (outcomes: readonly Promise<void>[]) => {
    const settled = Promise.all(outcomes).then(() => true)
    for (let asked = 0; asked < 15; asked++) {
      const answered = once(lines, 'answered').then(() => false)
      await clock.advance(PING_INTERVAL_MS)
      if (await Promise.race([answered, settled])) break
    }
    await settled
  }
  return { engine, clock, lines, begun, askUntil }
}

test('should end an answer whose token never comes with GRAMMAR_INVALID, and refuse its schema from then on', async (t) => {
  const { engine, begun, askUntil } = await scene(t)
  const other = await begun()
  const jsonSchema = { type: 'array' }
  const stuck = t.exception(collect(generate(engine, STUCK, { jsonSchema })), {
    code: 'GRAMMAR_INVALID',
    message: 'The JSON schema cannot be used: choosing a token with it took longer than 10 s',
  })
  const others = t.exception(collect(other), { code: 'ENGINE_CRASHED' })
  await askUntil([stuck, others])

  await t.exception(answer(engine, 'any', { jsonSchema }), { code: 'GRAMMAR_INVALID' })
  t.is(engine.processId, null, 'no process was started for it')
  t.is((await answer(engine, 'fine', { maxTokens: 1, jsonSchema: {} })).text, 'fine')
  t.is(engine.status().restarts, 1)
})

test('should refuse the schema also when nobody waits for the answer any more', async (t) => {
  const { engine, begun, askUntil } = await scene(t)
  const cancel = new AbortController()
  const jsonSchema = { const: 'x' }
  const left = t.exception(collect(generate(engine, STUCK, { jsonSchema }, cancel.signal)), {
    code: 'CANCELLED',
  })
  const others = t.exception(collect(await begun()), { code: 'ENGINE_CRASHED' })
  cancel.abort()
  await left
  await askUntil([others])
  await t.exception(answer(engine, 'any', { jsonSchema }), { code: 'GRAMMAR_INVALID' })
})

test('should end the request that blocks its process with INVALID_REQUEST, and the others as always', async (t) => {
  const { engine, clock, lines, begun } = await scene(t)
  const other = await begun()
  const isStuck = once(lines, 'stuck')
  const stuck = t.exception(collect(generate(engine, 'a template that loops')), {
    code: 'INVALID_REQUEST',
    message: /took longer than 10 s/,
  })
  const others = t.exception(collect(other), { code: 'ENGINE_CRASHED' })
  await isStuck
  for (let count = 0; count < 7; count++) await clock.advance(PING_INTERVAL_MS)
  await Promise.all([stuck, others])
})

test('should end the request that ends its process with INVALID_REQUEST, and the others as always', async (t) => {
  const { engine, begun } = await scene(t)
  const other = await begun()
  await Promise.all([
    t.exception(collect(generate(engine, 'a template that aborts')), {
      code: 'INVALID_REQUEST',
      message: /SIGABRT/,
    }),
    t.exception(collect(other), { code: 'ENGINE_CRASHED' }),
  ])
})
