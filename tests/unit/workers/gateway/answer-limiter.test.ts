import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { FIRST_CRASH_DELAY_MS } from '../../../../workers/gateway/crash-delays.js'
import { failingAnswer } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { gatewayScene } from '../../../helpers/workers/gateway-scene.js'

const AUTO = { answersPerUser: 'auto' as const }

const SCRIPTED = { model: 'scripted' }

const refusal = (message: string) => ({ code: 'RATE_LIMITED', message, retryAfterMs: 1_000 })

/** A gateway with a processor, and answers that are begun and not read on. */
async function scene(
  t: Parameters<typeof gatewayScene>[0],
  settings: Parameters<typeof gatewayScene>[1],
  slots = 4,
) {
  const built = await gatewayScene(t, settings)
  built.connectAuth()
  const { connection, engine } = await built.connectProcessor(new ScriptedEngine(), slots)
  const begin = async (...asked: Parameters<typeof built.infer>) => {
    const answer = built.infer(...asked)
    await answer.next()
    return answer
  }
  return { ...built, connection, engine, begin }
}

test('should leave one slot to other users when one user stops reading all of their answers', async (t) => {
  const { begin, infer, engine, sessionOf } = await scene(t, AUTO)
  const answers = [await begin(), await begin(), await begin()]
  await t.exception(
    infer().next(),
    refusal(
      'You have 3 answers with scripted in progress, the most that one user may have at the same time',
    ),
  )
  t.is(engine.activeGenerations, 3)
  const other = await begin({ credential: sessionOf('usr_2') })
  await readAll(other)
  for (const answer of answers) await answer.return(undefined as never)
})

test('should count the slots of all processors that serve the model', async (t) => {
  const { begin, infer, connectProcessor } = await scene(t, AUTO, 2)
  await connectProcessor(new ScriptedEngine(), 3)
  await connectProcessor(new ScriptedEngine({ model: 'other' }), 3)
  const answers = [await begin(SCRIPTED), await begin(SCRIPTED)]
  answers.push(await begin(SCRIPTED), await begin(SCRIPTED))
  await t.exception(infer(SCRIPTED).next(), { code: 'RATE_LIMITED' })
  answers.push(await begin({ model: 'other' }))
  for (const answer of answers) await answer.return(undefined as never)
})

test('should let each user have one answer when there is one slot', async (t) => {
  const { begin, infer, sessionOf } = await scene(t, AUTO, 1)
  const answer = await begin()
  await t.exception(
    infer().next(),
    refusal(
      'You have 1 answer with scripted in progress, the most that one user may have at the same time',
    ),
  )
  await answer.return(undefined as never)
  await readAll(await begin({ credential: sessionOf('usr_2') }))
  await readAll(await begin())
})

test('should count the answers of all models when the limit is a number', async (t) => {
  const { begin, infer, connectProcessor } = await scene(t, { answersPerUser: 2 })
  await connectProcessor(new ScriptedEngine({ model: 'other' }), 4)
  const answers = [await begin({ model: 'scripted' }), await begin({ model: 'other' })]
  await t.exception(
    infer().next(),
    refusal('You have 2 answers in progress, the most that one user may have at the same time'),
  )
  for (const answer of answers) await answer.return(undefined as never)
})

test('should release the place however an answer ends', async (t) => {
  const { begin, infer, connection, clock } = await scene(t, { answersPerUser: 1 })
  const ends: Record<string, () => Promise<unknown>> = {
    'its end': async () => readAll(infer()),
    'an error': async () => {
      const answer = failingAnswer(1, new StarlingError('ENGINE_CRASHED', 'crashed'))
      connection.relay.onCall(connection.relay.callCount).returns(answer)
      await t.exception(readAll(infer()), { code: 'ENGINE_CRASHED' })
      await clock.advance(FIRST_CRASH_DELAY_MS)
    },
    'a refusal': async () => {
      connection.relay
        .onCall(connection.relay.callCount)
        .throws(new StarlingError('OVERLOADED', 'full'))
      await t.exception(infer().next(), { code: 'OVERLOADED' })
    },
    'a model that nobody serves': async () =>
      t.exception(infer({ model: 'none' }).next(), { code: 'MODEL_NOT_FOUND' }),
    'a cancel, or a caller that is lost': async () => {
      const controller = new AbortController()
      const answer = await begin({}, controller.signal)
      controller.abort(new StarlingError('CANCELLED', 'enough'))
      await t.exception(readAll(answer), { code: 'CANCELLED' })
    },
    'a reader that leaves': async () => (await begin()).return(undefined as never),
  }
  for (const [name, end] of Object.entries(ends)) {
    await end()
    const answer = await begin()
    await t.exception(infer().next(), { code: 'RATE_LIMITED' }, `after ${name}: one, and no more`)
    await answer.return(undefined as never)
  }
})

test('should not count a request that was refused because of running answers', async (t) => {
  const { begin, infer } = await scene(t, {
    answersPerUser: 1,
    rateLimit: { perMinute: 3, maxUsers: 10 },
  })
  const answer = await begin()
  for (let asked = 0; asked < 10; asked += 1) {
    await t.exception(infer().next(), { code: 'RATE_LIMITED', retryAfterMs: 1_000 })
  }
  await answer.return(undefined as never)
  await readAll(infer())
  await readAll(infer())
  await t.exception(infer().next(), { code: 'RATE_LIMITED', retryAfterMs: 20_000 })
})
