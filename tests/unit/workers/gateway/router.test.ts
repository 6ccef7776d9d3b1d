import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { EnginePool } from '../../../../workers/processor/engine-pool.js'
import { SoleBudget } from '../../../../workers/processor/memory-budget.js'
import { generatedAnswer } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { settle } from '../../../helpers/until.js'
import { gatewayScene as scene } from '../../../helpers/workers/gateway-scene.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

const FULL = { slots: 4, running: 4, queued: 64 }
const COLD = { isLoaded: false }

test('should choose an idle processor that has to load the model when many others are full', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  for (let index = 0; index < 20; index += 1) await connectReporting(offeredModel('big', FULL))
  const { connection: idle } = await connectReporting(offeredModel('big', COLD))
  await readAll(infer({ model: 'big' }))
  t.is(idle.relay.callCount, 1)
})

test('should load nothing when a processor that has the model has a free slot', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  for (let index = 0; index < 5; index += 1) await connectReporting(offeredModel('big', COLD))
  const { connection } = await connectReporting(offeredModel('big', { slots: 4, running: 3 }))
  await readAll(infer({ model: 'big' }))
  t.is(connection.relay.callCount, 1)
})

test('should choose the processor with a free slot when all others that have the model are full', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  for (let index = 0; index < 20; index += 1) await connectReporting(offeredModel('big', FULL))
  const { connection } = await connectReporting(offeredModel('big', { slots: 4, running: 3 }))
  await readAll(infer({ model: 'big' }))
  t.is(connection.relay.callCount, 1)
})

test('should answer with the model that was configured first when none is named', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  await connectReporting(offeredModel('zebra'), offeredModel('ant', COLD))
  t.is((await readAll(infer())).end.model, 'zebra')
})

test('should keep answering with the first model when it is not loaded and another is', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  await connectReporting(offeredModel('zebra', COLD), offeredModel('ant'))
  t.is((await readAll(infer())).end.model, 'zebra')
})

test('should never answer with an embedding model when none is named', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  const vectors = offeredModel('a-vectors', { purpose: 'embedding' })
  await connectReporting(vectors, offeredModel('zebra'), offeredModel('ant'))
  t.is((await readAll(infer())).end.model, 'zebra')
})

test('should refuse and load nothing when a request names an embedding model', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  const vectors = offeredModel('vectors', { purpose: 'embedding', isLoaded: false })
  const { connection } = await connectReporting(vectors, offeredModel('small'))
  await t.exception(infer({ model: 'vectors' }).next(), {
    code: 'NOT_SUPPORTED',
    message: 'vectors is an embedding model and cannot answer prompts; available models: small',
  })
  t.is(connection.relay.callCount, 0)
})

test('should refuse a request without a model when only embedding models are served', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  await connectReporting(offeredModel('vectors', { purpose: 'embedding' }))
  const message = 'No model can answer: only embedding models are available: vectors'
  await t.exception(infer().next(), { code: 'MODEL_UNAVAILABLE', message })
})

test('should refuse a default model that can only embed', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t, { defaultModel: 'vectors' })
  connectAuth()
  await connectReporting(offeredModel('vectors', { purpose: 'embedding' }))
  await t.exception(infer().next(), {
    code: 'NOT_SUPPORTED',
    message: 'vectors is an embedding model and cannot answer prompts; no other model is available',
  })
})

test('should report the same error for a model to a check as to a request', async (t) => {
  const { infer, checkModel, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  const refused = async (model: string, code: string) => {
    const reason = (error: unknown) => String(Object(error).message)
    const [asked, checked] = await Promise.all([
      infer({ model }).next().catch(reason),
      checkModel(model).catch(reason),
    ])
    t.is(asked, checked)
    await t.exception(checkModel(model), { code })
  }
  await refused('other', 'MODEL_UNAVAILABLE')
  await connectReporting(offeredModel('vectors', { purpose: 'embedding' }))
  await refused('other', 'MODEL_UNAVAILABLE')
  await refused('vectors', 'NOT_SUPPORTED')
  await connectReporting(offeredModel('small'), offeredModel('cold', COLD))
  await refused('other', 'MODEL_NOT_FOUND')
  await refused('vectors', 'NOT_SUPPORTED')
  t.is((await checkModel('small')).models.length, 2)
  t.is((await checkModel('cold')).models.length, 2, 'it is loaded when it is asked')
})

test('should answer with the model that the gateway is configured to use by default', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t, { defaultModel: 'ant' })
  connectAuth()
  await connectReporting(offeredModel('zebra'))
  await t.exception(infer().next(), {
    code: 'MODEL_UNAVAILABLE',
    message:
      'No connected processor serves ant, which gateway.defaultModel names; ' +
      'available models: zebra',
  })
  await connectReporting(offeredModel('zebra'), offeredModel('ant', COLD))
  t.is((await readAll(infer())).end.model, 'ant')
  t.is((await readAll(infer({ model: 'zebra' }))).end.model, 'zebra')
})

test('should not change the model when processors that agree with the majority come and go', async (t) => {
  const { infer, connectAuth, connectReporting, loseProcessor } = await scene(t)
  connectAuth()
  const zebra = await connectReporting(offeredModel('zebra'))
  await connectReporting(offeredModel('ant'), offeredModel('zebra'))
  await connectReporting(offeredModel('zebra'), offeredModel('ant'))
  const model = async () => (await readAll(infer())).end.model
  t.is(await model(), 'zebra')
  loseProcessor(zebra.connection)
  t.is(await model(), 'zebra', 'as many put the other one first')
  await connectReporting(offeredModel('ant'))
  t.is(await model(), 'ant', 'outvoted')
})

test('should have one processor load a model for all requests that arrive at once', async (t) => {
  const { infer, connectAuth, connectReporting } = await scene(t)
  connectAuth()
  const cold = [
    await connectReporting(offeredModel('big', { ...COLD, slots: 3 })),
    await connectReporting(offeredModel('big', { ...COLD, slots: 3 })),
  ]
  const stop = new AbortController()
  for (const { connection } of cold) {
    connection.relay.callsFake(() =>
      generatedAnswer(
        (async function* () {
          await new Promise((_, reject) => stop.signal.addEventListener('abort', reject))
          throw new Error('nothing comes')
        })(),
      ),
    )
  }
  const calls = () => cold.map(({ connection }) => connection.relay.callCount).sort()
  const ask = () =>
    infer({ model: 'big' })
      .next()
      .catch(() => null)
  const asked = [ask(), ask(), ask()]
  await settle()
  t.alike(calls(), [0, 3])
  asked.push(ask())
  await settle()
  t.alike(calls(), [1, 3], 'and another one when it has no slot left')
  stop.abort()
  await Promise.all(asked)
})

test('should keep two models where they are loaded when they are requested in turn', async (t) => {
  const { infer, connectAuth, connectPool, clock } = await scene(t)
  connectAuth()
  let loads = 0
  const beforeLoad = () => void loads++
  const poolOfBoth = () =>
    new EnginePool({
      offers: ['ant', 'zebra'].map((model) => ({
        model,
        engine: new ScriptedEngine({ model, memoryBytes: 60, beforeLoad }),
        slots: 1,
        describe: async () => ({ sizeBytes: 60 }),
      })),
      budget: new SoleBudget(100),
      queueLength: 4,
      clock,
    })
  for (const pool of [poolOfBoth(), poolOfBoth()]) await connectPool(pool)
  for (let round = 0; round < 10; round += 1) {
    for (const model of ['ant', 'zebra']) {
      t.is((await readAll(infer({ model }))).end.model, model)
      await clock.advance(500)
    }
  }
  t.is(loads, 3, 'ant on both at the start, and zebra on one of them')
})
