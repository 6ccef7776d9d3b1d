import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { onBehalfOf } from '../../../../facilities/network/calls/request-context.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { createAccount } from '../../../helpers/factory.js'
import {
  callUnary,
  openStream,
  readAll,
  requestContext,
} from '../../../helpers/network/call-service.js'
import { linkTo } from '../../../helpers/network/service-link.js'
import { settle, until } from '../../../helpers/until.js'
import { MESSAGES, gatewayScene as scene } from '../../../helpers/workers/gateway-scene.js'
import { busyOf } from '../../../helpers/workers/offered-models.js'

const ADA = createAccount()

test('should forward registration and login of a client to the auth worker', async (t) => {
  const { service, connectAuth, authConnection } = await scene(t)
  connectAuth()
  const context = requestContext('client', { requestId: 'req_travels', remainingMs: () => 1234 })
  t.alike(await callUnary(service, gatewayProtocol.register, ADA, context), { userId: 'usr_1' })
  t.alike(await callUnary(service, gatewayProtocol.login, ADA, context), {
    token: 'a.b.c',
    expiresInMs: 1,
  })
  t.alike(
    authConnection.call.args.map(([method, body]) => [method.name, body]),
    [
      ['auth.register', { ...ADA, peer: '00'.repeat(32) }],
      ['auth.login', { ...ADA, peer: '00'.repeat(32) }],
    ],
  )
  for (const [, , options] of authConnection.call.args) {
    t.is(options.origin.requestId, 'req_travels')
    t.is(options.timeoutMs, 1234)
  }
})

test('should cancel a call to the auth worker when the client is lost', async (t) => {
  const { service, connectAuth, authConnection } = await scene(t)
  connectAuth()
  authConnection.call.callsFake(() => new Promise(() => undefined))
  const [{ peer: caller }, { peer }] = [requestContext('client'), requestContext('gateway')]
  const client = await linkTo(service, { caller, peer })
  const call = client.call(gatewayProtocol.login, ADA, onBehalfOf(requestContext('client')))
  const options = await until('the call to auth', () => authConnection.call.firstCall?.args[2])
  t.absent(options.signal?.aborted)
  client.destroy()
  await t.exception(call, { code: 'PEER_LOST' })
  await until('the call to auth is given up', () => options.signal?.aborted)
})

test('should pass on the errors of the auth worker', async (t) => {
  const { service, connectAuth, authConnection } = await scene(t)
  connectAuth()
  const context = requestContext('client')
  authConnection.call.rejects(new StarlingError('EMAIL_TAKEN', 'taken'))
  await t.exception(callUnary(service, gatewayProtocol.register, ADA, context), {
    code: 'EMAIL_TAKEN',
  })
  authConnection.call.rejects(new StarlingError('INVALID_CREDENTIAL', 'wrong'))
  await t.exception(callUnary(service, gatewayProtocol.login, ADA, context), {
    code: 'INVALID_CREDENTIAL',
  })
})

test('should say that auth is missing when no auth worker is connected', async (t) => {
  const { service, infer, connectAuth, loseAuth } = await scene(t)
  const expected = { code: 'AUTH_UNAVAILABLE', retryAfterMs: undefined }
  const refused = async () => {
    const context = requestContext('client')
    await t.exception(callUnary(service, gatewayProtocol.register, ADA, context), expected)
    await t.exception(callUnary(service, gatewayProtocol.login, ADA, context), expected)
  }
  await refused()
  await t.exception(infer().next(), expected)
  connectAuth()
  loseAuth()
  await refused()
})

test('should answer only clients when other roles call', async (t) => {
  const { service } = await scene(t)
  for (const role of ['auth', 'gateway', 'processor'] as const) {
    const context = requestContext(role)
    const forbidden = { code: 'FORBIDDEN' }
    await t.exception(callUnary(service, gatewayProtocol.register, ADA, context), forbidden)
    await t.exception(callUnary(service, gatewayProtocol.login, ADA, context), forbidden)
    const credential = { credential: 'a.b.c' }
    for (const method of [gatewayProtocol.whoami, gatewayProtocol.models]) {
      await t.exception(callUnary(service, method, credential, context), forbidden)
    }
    const request = { credential: 'a.b.c', messages: MESSAGES }
    const stream = () => openStream(service, gatewayProtocol.infer, request, context)
    await t.exception(stream().next(), forbidden)
  }
})

test('should relay an answer token by token and name the model at its end', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { connection, engine } = await connectProcessor()
  const answer = infer({ model: 'scripted' })
  const first = (await answer.next()).value
  t.alike([Object(first).text, Object(first).tokenId, Object(first).index], ['one', 0, 0])
  t.is(engine.tokensProduced, 1, 'pulled, not pushed')
  const { chunks, end } = await readAll(answer)
  t.alike(
    chunks.map(({ text }) => text),
    [' two', ' three'],
  )
  t.alike(end, {
    finishReason: 'stop',
    promptTokens: 3,
    cachedTokens: 0,
    completionTokens: 3,
    timings: { promptMs: 0, generationMs: 0 },
    model: 'scripted',
  })
  const [, body, options] = connection.relay.firstCall.args
  t.absent('credential' in Object(body), 'the session stays at the gateway')
  t.is(options.origin.requestId, 'req_travels')
})

test('should choose a served model when the client names none', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await connectProcessor(new ScriptedEngine({ model: 'zebra' }))
  await connectProcessor(new ScriptedEngine({ model: 'ant' }))
  t.is((await readAll(infer())).end.model, 'ant')
})

test('should list the served models when no processor serves the requested one', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await t.exception(infer({ model: 'other' }).next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'No connected processor serves other: none has a model loaded',
  })
  await t.exception(infer().next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'No model can answer: no processor with a loaded model is connected',
    retryAfterMs: undefined,
  })
  await connectProcessor(new ScriptedEngine({ model: 'small' }))
  await connectProcessor(new ScriptedEngine({ model: 'large' }))
  await t.exception(infer({ model: 'other' }).next(), {
    code: 'MODEL_NOT_FOUND',
    message: 'No connected processor serves other; available models: large, small',
  })
})

test('should call no processor when the session is invalid', async (t) => {
  const { clock, infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { engine } = await connectProcessor()
  await t.exception(infer({ credential: 'a.b.c' }).next(), { code: 'INVALID_CREDENTIAL' })
  const session = infer()
  await clock.advance(120_000)
  await t.exception(session.next(), { code: 'INVALID_CREDENTIAL' })
  t.is(engine.startedGenerations, 0)
})

test('should spread the work when several processors serve the model', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const hold = () => new ScriptedEngine({ beforeToken: () => new Promise(() => undefined) })
  const [one, other] = [await connectProcessor(hold(), 1), await connectProcessor(hold(), 3)]
  const controller = new AbortController()
  const answers = Array.from({ length: 4 }, () => infer({}, controller.signal).next())
  await settle()
  t.is(one.engine.activeGenerations, 1)
  t.is(other.engine.activeGenerations, 3, 'as much as each has slots')
  controller.abort(new StarlingError('CANCELLED', 'enough'))
  for (const answer of answers) await t.exception(answer, { code: 'CANCELLED' })
})

test('should end the stream of the processor when the client cancels', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { engine, worker } = await connectProcessor(
    new ScriptedEngine({
      beforeToken: (index) => (index === 1 ? new Promise(() => undefined) : undefined),
    }),
  )
  const controller = new AbortController()
  const answer = infer({}, controller.signal)
  await answer.next()
  const next = answer.next()
  await settle()
  t.is(engine.activeGenerations, 1)
  controller.abort(new StarlingError('CANCELLED', 'the client left'))
  await t.exception(next, { code: 'CANCELLED' })
  await until('the slot is free', () => busyOf(worker.load()).running === 0)
  t.is(engine.activeGenerations, 0)
})

test('should end the stream of the processor when the client stops reading for good', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { engine, worker } = await connectProcessor()
  for await (const _token of infer()) break
  await until('the slot is free', () => busyOf(worker.load()).running === 0)
  t.is(engine.activeGenerations, 0)
})

test('should pass on the errors of the processor', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await connectProcessor(new ScriptedEngine({ failAt: 2 }))
  await t.exception(readAll(infer()), { code: 'ENGINE_CRASHED', retryable: false })
})

test('should return the user of a session when a client asks, and refuse an invalid one', async (t) => {
  const { service, session, connectAuth, clock } = await scene(t)
  connectAuth()
  const context = requestContext('client')
  const whoami = (credential: string) =>
    callUnary(service, gatewayProtocol.whoami, { credential }, context)
  const credential = session()
  await clock.advance(20_000)
  t.alike(await whoami(credential), { userId: 'usr_1', expiresInMs: 40_000 })
  await clock.advance(50_000)
  t.is((await whoami(credential)).expiresInMs, 0, 'within the allowance for clocks that differ')
  await t.exception(whoami('a.b.c'), { code: 'INVALID_CREDENTIAL' })
})

test('should list the served models with the number of processors and free slots', async (t) => {
  const { service, session, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const context = requestContext('client')
  const models = (credential = session()) =>
    callUnary(service, gatewayProtocol.models, { credential }, context)
  t.alike(await models(), { models: [] })
  await connectProcessor(new ScriptedEngine({ model: 'zebra', contextTokens: 512 }), 2)
  await connectProcessor(new ScriptedEngine({ model: 'ant' }), 1)
  await connectProcessor(new ScriptedEngine({ model: 'zebra', contextTokens: 256 }), 3)
  t.alike(await models(), {
    models: [
      { name: 'ant', processors: 1, loaded: 1, slots: 1, contextTokens: 4096 },
      { name: 'zebra', processors: 2, loaded: 2, slots: 5, contextTokens: 256 },
    ],
  })
  await t.exception(models('a.b.c'), { code: 'INVALID_CREDENTIAL' })
})

test('should draw a seed for each request without one, and send it before the first token', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { connection } = await connectProcessor()
  const seeds = new Set<number>()
  for (let asked = 0; asked < 3; asked += 1) {
    const answer = infer({ options: { temperature: 1 } })
    const head = await answer.head()
    const sent = Object(connection.relay.lastCall.args[1]).options
    t.alike(head, { seed: sent.seed, model: 'scripted', reproducibility: 'exact' })
    t.is((await readAll(answer)).chunks.length, 3)
    seeds.add(sent.seed)
  }
  t.is(seeds.size, 3)
  t.ok([...seeds].every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
})

test('should keep the seed of a request, and add no options to it', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { connection } = await connectProcessor()
  for (const seed of [0, 7, 2 ** 32 - 1]) {
    const answer = infer({ options: { seed } })
    t.is((await answer.head()).seed, seed)
    await readAll(answer)
    const { options } = Object(connection.relay.lastCall.args[1])
    t.alike(options, { seed, stop: [], logitBias: {} })
  }
})
