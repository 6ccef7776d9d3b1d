import test, { type Test } from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  type ModelDetails,
  processorProtocol,
} from '../../../../helpers/protocol/processor-protocol.js'
import { ProcessorWorker } from '../../../../workers/processor/processor-worker.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { ScriptedEmbeddings } from '../../../helpers/engine/scripted-abilities.js'
import {
  callUnary,
  openStream,
  readAll,
  requestContext,
} from '../../../helpers/network/call-service.js'
import { settle, until } from '../../../helpers/until.js'
import { busyOf, offeredModel, poolOf } from '../../../helpers/workers/offered-models.js'

const QUESTION = {
  model: 'scripted',
  messages: [{ role: 'user' as const, content: 'one two three' }],
}

/** What is known of its model once it is loaded. */
const KNOWN = { contextTokens: 4096, reproducibility: 'exact' } as const

/** An engine whose model gets ready when a test says so. */
function slowEngine(ready: Promise<void>): ScriptedEngine {
  return new ScriptedEngine({ beforeLoad: () => ready })
}

async function scene(
  t: Test,
  options: {
    engine?: ScriptedEngine
    slots?: number
    queueLength?: number
    details?: ModelDetails
    allowRepetition?: boolean
  } = {},
) {
  const cleanup = new Cleanup(t)
  const service = new Service()
  const engine = options.engine ?? new ScriptedEngine()
  const { slots = 2, queueLength = 2 } = options
  const clock = new VirtualClock()
  const pool = poolOf(engine, { slots, queueLength, details: options.details ?? {}, clock })
  const { allowRepetition = false } = options
  const worker = new ProcessorWorker({ service, pool, allowRepetition })
  cleanup.add(() => worker.close())
  await worker.ready()
  const generate = (signal = new AbortController().signal, request = QUESTION) =>
    openStream(service, processorProtocol.generate, request, requestContext('gateway', { signal }))
  return { clock, service, engine, worker, generate }
}

/** Generations that are held before each token, and go on when the test says so. */
function held() {
  let goOn = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  return { engine: new ScriptedEngine({ beforeToken: () => gate }), goOn: () => goOn() }
}

test('should stream the answer of its engine when it is asked', async (t) => {
  const { worker, generate } = await scene(t)
  await worker.serving()
  const { chunks, end } = await readAll(generate())
  t.alike(
    chunks.map(({ text }) => text),
    ['one', ' two', ' three'],
  )
  t.is(end.finishReason, 'stop')
  t.is(end.completionTokens, 3)
  t.is(busyOf(worker.load()).running, 0)
})

test('should name its model only when it is loaded', async (t) => {
  let loaded = () => {}
  const engine = slowEngine(
    new Promise((resolve) => {
      loaded = resolve
    }),
  )
  const { service, worker, generate } = await scene(t, { engine })
  const load = () => callUnary(service, processorProtocol.load, {}, requestContext('gateway'))
  t.alike(await load(), { models: [] })
  await t.exception(generate().next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'The processor is still preparing its model',
    retryAfterMs: undefined,
  })
  loaded()
  await worker.serving()
  const offered = offeredModel('scripted', { ...KNOWN, slots: 2, queueLength: 2 })
  t.alike(await load(), { models: [offered] })
  t.is((await readAll(generate())).chunks.length, 3)
})

test('should report the reason and serve nothing when the model cannot be loaded', async (t) => {
  const failure = new StarlingError('MODEL_INVALID', 'not a model')
  const engine = slowEngine(Promise.reject(failure))
  const { worker, generate } = await scene(t, { engine })
  await t.exception(worker.serving(), failure)
  t.alike(worker.load().models, [])
  await t.exception(generate().next(), { code: 'MODEL_UNAVAILABLE' })
})

test('should name the served models when another one is requested', async (t) => {
  const { worker, generate, engine } = await scene(t)
  await worker.serving()
  await t.exception(generate(undefined, { ...QUESTION, model: 'other' }).next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'The processor serves scripted, not other',
  })
  t.is(engine.startedGenerations, 0)
})

test('should answer only gateways when other roles call', async (t) => {
  const { service, worker } = await scene(t)
  await worker.serving()
  for (const role of ['client', 'auth', 'processor'] as const) {
    const stream = openStream(service, processorProtocol.generate, QUESTION, requestContext(role))
    await t.exception(stream.next(), { code: 'FORBIDDEN' })
  }
})

test('should let a few wait and refuse more when all slots are busy', async (t) => {
  const { engine, goOn } = held()
  const { clock, worker, generate } = await scene(t, { engine, slots: 2, queueLength: 1 })
  await worker.serving()
  const answers = [readAll(generate()), readAll(generate()), readAll(generate())]
  await settle()
  const idle = offeredModel('scripted', { ...KNOWN, slots: 2, queueLength: 1 })
  t.alike(worker.load(), { models: [{ ...idle, running: 2, queued: 1 }] })
  const nobodyKnows = { code: 'OVERLOADED', retryAfterMs: undefined }
  await t.exception(generate().next(), nobodyKnows, 'no answer has ended yet')
  await clock.advance(8_000)
  goOn()
  for (const { chunks } of await Promise.all(answers)) t.is(chunks.length, 3)
  t.is(engine.mostActiveGenerations, 2, 'never more at once than slots')
  const answerMs = worker.load().models[0]?.answerMs ?? 0
  t.ok(answerMs > 0 && answerMs <= 8_000)
  t.alike(worker.load(), { models: [{ ...idle, answerMs }] })
})

test('should free the slot when an answer is cancelled in the middle', async (t) => {
  const { engine } = held()
  const { worker, generate } = await scene(t, { engine, slots: 1 })
  await worker.serving()
  const controller = new AbortController()
  const answer = generate(controller.signal).next()
  await settle()
  t.is(busyOf(worker.load()).running, 1)
  controller.abort(new StarlingError('CANCELLED', 'gone'))
  await t.exception(answer, { code: 'CANCELLED' })
  await until('the slot is free', () => busyOf(worker.load()).running === 0)
  t.is(engine.activeGenerations, 0)
})

test('should never start when it is cancelled while it waits', async (t) => {
  const { engine, goOn } = held()
  const { worker, generate } = await scene(t, { engine, slots: 1 })
  await worker.serving()
  const first = readAll(generate())
  const controller = new AbortController()
  const second = generate(controller.signal).next()
  await settle()
  controller.abort(new StarlingError('CANCELLED', 'gone'))
  await t.exception(second, { code: 'CANCELLED' })
  await until('its place to be free', () => busyOf(worker.load()).queued === 0)
  goOn()
  await first
  t.is(engine.startedGenerations, 1)
})

test('should free the slot when the reader stops after a token', async (t) => {
  const { worker, generate, engine } = await scene(t, { slots: 1 })
  await worker.serving()
  const stream = generate()
  await stream.next()
  t.is(busyOf(worker.load()).running, 1)
  await stream.return({
    finishReason: 'stop',
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    timings: { promptMs: 0, generationMs: 0 },
  })
  await until('the slot is free', () => busyOf(worker.load()).running === 0)
  t.is(engine.activeGenerations, 0)
})

test('should free the slot when the engine fails', async (t) => {
  const engine = new ScriptedEngine({ failAt: 1 })
  const { worker, generate } = await scene(t, { engine, slots: 1 })
  await worker.serving()
  await t.exception(readAll(generate()), { code: 'ENGINE_CRASHED' })
  t.is(busyOf(worker.load()).running, 0)
})

test('should end its answers with a retryable error when it is closed', async (t) => {
  const { engine } = held()
  const { worker, generate } = await scene(t, { engine })
  await worker.serving()
  const answer = generate().next()
  await settle()
  await worker.close()
  await t.exception(answer, { code: 'DRAINING', retryable: true })
})

test('should report that a model only embeds when only its engine knows', async (t) => {
  const { worker, generate } = await scene(t, { engine: new ScriptedEmbeddings() })
  await worker.serving()
  t.is(worker.load().models[0]?.purpose, 'embedding')
  await t.exception(generate().next(), {
    code: 'NOT_SUPPORTED',
    message: 'scripted is an embedding model and cannot answer prompts',
  })
})

test('should refuse a chat request for an embedding model before it loads the model', async (t) => {
  const { engine, worker, generate } = await scene(t, { details: { purpose: 'embedding' } })
  await worker.serving()
  await engine.unload()
  await t.exception(generate().next(), { code: 'NOT_SUPPORTED' })
  t.absent(engine.isLoaded)
})

test('should let answers repeat themselves only when the configuration or the request allows it', async (t) => {
  const asked: (boolean | undefined)[] = []
  const engine = () =>
    new ScriptedEngine({
      script: ({ options }) => {
        asked.push(options.allowRepetition)
        return ['yes']
      },
    })
  for (const allowRepetition of [false, true]) {
    const { worker, generate } = await scene(t, { engine: engine(), allowRepetition })
    await worker.serving()
    await readAll(generate())
    const request = { ...QUESTION, options: { allowRepetition: !allowRepetition } }
    await readAll(generate(undefined, request))
  }
  t.alike(asked, [false, true, true, false])
})
