import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted-engine.js'
import { Service } from '../../../../facilities/network/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { authProtocol } from '../../../../helpers/protocol/auth-protocol.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { signSessionToken } from '../../../../helpers/session-token.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { GatewayWorker } from '../../../../workers/gateway/gateway-worker.js'
import { ProcessorWorker } from '../../../../workers/processor/processor-worker.js'
import { callUnary, openStream, readAll, requestContext } from '../../../helpers/call-service.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { connectionTo, PeersStandIn } from '../../../helpers/peers-stand-in.js'
import { settle } from '../../../helpers/until.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

const MESH = 'ab'.repeat(32)
const ADA = { email: 'ada@example.com', password: 'correct horse' }
const MESSAGES = [{ role: 'user' as const, content: 'one two three' }]
const random = new SystemRandom()
const keys = new SessionKeys(createPrivateKeyPem(random))

/** A gateway, and the workers behind it that a test connects. */
async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const service = new Service()
  const auth = new PeersStandIn('auth')
  const processors = new PeersStandIn('processor')
  const options = { mesh: MESH, clock, random, loadIntervalMs: 500 }
  const gateway = new GatewayWorker({ ...options, service, auth, processors })
  cleanup.add(() => gateway.close())
  await gateway.ready()

  const authService = new Service()
    .unary(authProtocol.register, async () => ({ userId: 'usr_1' }))
    .unary(authProtocol.login, async () => ({ token: 'a.b.c', expiresInMs: 1 }))
    .unary(authProtocol.sessionKeys, async () => ({ keys: keys.publicKeys() }))
  const authConnection = connectionTo(authService, { caller: 'gateway', peer: 'auth' })

  return {
    clock,
    service,
    authConnection,
    connectAuth: () => auth.connect(authConnection),
    loseAuth: () => auth.lose(authConnection),
    /** Connects a processor with this engine. */
    connectProcessor: async (engine = new ScriptedEngine(), slots = 4) => {
      const behind = new Service()
      const worker = new ProcessorWorker({ service: behind, engine, slots, queueLength: 4 })
      cleanup.add(() => worker.close())
      await worker.serving()
      const connection = connectionTo(behind, { caller: 'gateway', peer: 'processor' })
      processors.connect(connection)
      await settle()
      return { connection, engine, worker }
    },
    infer: (
      changes: { credential?: string; model?: string; messages?: typeof MESSAGES } = {},
      signal = new AbortController().signal,
    ) => {
      const credential = signSessionToken({
        userId: 'usr_1',
        mesh: MESH,
        keyId: keys.keyId,
        privateKeyPem: keys.privateKey,
        nowMs: clock.now(),
        lifetimeMs: 60_000,
      })
      const request = { credential, messages: MESSAGES, ...changes }
      const context = requestContext('client', { signal, requestId: 'req_travels' })
      return openStream(service, gatewayProtocol.infer, request, context)
    },
  }
}

test('should hand accounts to the auth worker when a client registers and logs in', async (t) => {
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
      ['auth.register', ADA],
      ['auth.login', ADA],
    ],
  )
  for (const [, , options] of authConnection.call.args) {
    t.is(options.origin.requestId, 'req_travels')
    t.is(options.timeoutMs, 1234)
    t.is(options.signal, context.signal)
  }
})

test('should pass on what the auth worker refuses with', async (t) => {
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
  const expected = { code: 'AUTH_UNAVAILABLE', retryAfterMs: 1000 }
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

test('should answer clients alone when others ask', async (t) => {
  const { service } = await scene(t)
  for (const role of ['auth', 'gateway', 'processor'] as const) {
    const context = requestContext(role)
    const forbidden = { code: 'FORBIDDEN' }
    await t.exception(callUnary(service, gatewayProtocol.register, ADA, context), forbidden)
    await t.exception(callUnary(service, gatewayProtocol.login, ADA, context), forbidden)
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
  t.alike((await answer.next()).value, { text: 'one', tokenId: 0, index: 0 })
  t.is(engine.tokensProduced, 1, 'pulled, not pushed')
  const { chunks, end } = await readAll(answer)
  t.alike(
    chunks.map(({ text }) => text),
    [' two', ' three'],
  )
  t.alike(end, {
    finishReason: 'stop',
    promptTokens: 3,
    completionTokens: 3,
    timings: { promptMs: 0, generationMs: 0 },
    model: 'scripted',
  })
  const [, body, options] = connection.open.firstCall.args
  t.absent('credential' in Object(body), 'the session stays at the gateway')
  t.is(options.origin.requestId, 'req_travels')
})

test('should choose a model that is served when the client names none', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await connectProcessor(new ScriptedEngine({ model: 'zebra' }))
  await connectProcessor(new ScriptedEngine({ model: 'ant' }))
  t.is((await readAll(infer())).end.model, 'ant')
})

test('should list what is served when nobody serves the model', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await t.exception(infer({ model: 'other' }).next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'No connected processor serves other; none has a model loaded',
  })
  await t.exception(infer().next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'No processor with a loaded model is connected',
    retryAfterMs: 1000,
  })
  await connectProcessor(new ScriptedEngine({ model: 'small' }))
  await connectProcessor(new ScriptedEngine({ model: 'large' }))
  await t.exception(infer({ model: 'other' }).next(), {
    code: 'MODEL_UNAVAILABLE',
    message: 'No connected processor serves other; served are: large, small',
    retryAfterMs: 1000,
  })
})

test('should bother no processor when the session is not right', async (t) => {
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
  t.is(engine.activeGenerations, 0)
  t.is(worker.load().running, 0)
})

test('should end the stream of the processor when the client stops reading for good', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  const { engine, worker } = await connectProcessor()
  for await (const _token of infer()) break
  t.is(engine.activeGenerations, 0)
  t.is(worker.load().running, 0)
})

test('should pass on what the processor fails with', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t)
  connectAuth()
  await connectProcessor(new ScriptedEngine({ failAt: 2 }))
  await t.exception(readAll(infer()), { code: 'ENGINE_CRASHED', retryable: true })
})
