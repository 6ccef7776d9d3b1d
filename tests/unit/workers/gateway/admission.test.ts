import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { FIRST_CRASH_DELAY_MS } from '../../../../workers/gateway/crash-delays.js'
import { failingAnswer } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { gatewayScene as scene } from '../../../helpers/workers/gateway-scene.js'

const TEN_A_MINUTE = { perMinute: 10, maxUsers: 100 }

test('should admit 10 of 50 requests when one user sends them at once', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t, { rateLimit: TEN_A_MINUTE })
  connectAuth()
  const { engine } = await connectProcessor(new ScriptedEngine(), 50)
  const asked = await Promise.allSettled(Array.from({ length: 50 }, () => readAll(infer())))
  const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  t.is(refused.length, 40)
  t.ok(refused.every(({ code, retryAfterMs }) => code === 'RATE_LIMITED' && retryAfterMs === 6_000))
  t.is(engine.startedGenerations, 10)
})

test('should not limit the requests of the local account', async (t) => {
  const { infer, connectAuth, connectProcessor, session } = await scene(t, {
    rateLimit: { perMinute: 1, maxUsers: 1 },
  })
  connectAuth()
  await connectProcessor()
  for (let asked = 0; asked < 20; asked += 1) await readAll(infer({ credential: session(true) }))
  await readAll(infer())
  await t.exception(infer().next(), { code: 'RATE_LIMITED' }, 'and nobody else')
})

test('should report the rate limit before the list of models', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t, { rateLimit: TEN_A_MINUTE })
  connectAuth()
  await connectProcessor()
  for (let asked = 0; asked < 10; asked += 1) await readAll(infer())
  await t.exception(infer({ model: 'other' }).next(), { code: 'RATE_LIMITED' })
})

test('should not count a request when no processor could take it', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t, { rateLimit: TEN_A_MINUTE })
  connectAuth()
  for (let asked = 0; asked < 20; asked += 1) {
    await t.exception(infer().next(), { code: 'MODEL_UNAVAILABLE' })
  }
  const { connection } = await connectProcessor()
  for (const code of ['OVERLOADED', 'DRAINING', 'ENGINE_UNREACHABLE'] as const) {
    connection.relay.onCall(connection.relay.callCount).throws(new StarlingError(code, code))
    await t.exception(infer().next(), { code })
  }
  for (let asked = 0; asked < 10; asked += 1) await readAll(infer())
  await t.exception(infer().next(), { code: 'RATE_LIMITED' })
})

test('should count a request when a processor took it, however it ended', async (t) => {
  const { infer, connectAuth, connectProcessor, clock } = await scene(t, {
    rateLimit: { ...TEN_A_MINUTE, burst: 3 },
  })
  connectAuth()
  const { connection } = await connectProcessor()
  const endAfter = (tokens: number, code: 'ENGINE_CRASHED' | 'DRAINING') => {
    const answer = failingAnswer(tokens, new StarlingError(code, code))
    connection.relay.onCall(connection.relay.callCount).returns(answer)
  }
  endAfter(0, 'ENGINE_CRASHED')
  await t.exception(infer().next(), { code: 'ENGINE_CRASHED' })
  await clock.advance(FIRST_CRASH_DELAY_MS)
  endAfter(1, 'DRAINING')
  await t.exception(readAll(infer()), { code: 'DRAINING' })
  for await (const _token of infer()) break
  await t.exception(infer().next(), { code: 'RATE_LIMITED' })
})

test('should refuse a prompt that is larger than its limit, and not count it', async (t) => {
  const { infer, connectAuth, connectProcessor } = await scene(t, {
    rateLimit: { ...TEN_A_MINUTE, burst: 1 },
    maxPromptBytes: 20,
    maxPromptMessages: 2,
  })
  connectAuth()
  const { engine } = await connectProcessor()
  const message = (content: string) => ({ role: 'user' as const, content })
  await t.exception(infer({ messages: [message('x'.repeat(20)), message('é')] }).next(), {
    code: 'PAYLOAD_TOO_LARGE',
    message: 'The prompt has 22 bytes; the limit is 20',
  })
  await t.exception(infer({ messages: [message('a'), message('b'), message('c')] }).next(), {
    code: 'PAYLOAD_TOO_LARGE',
    message: 'The conversation has 3 messages; the limit is 2',
  })
  const large = { credential: 'a.b.c', messages: [message('x'.repeat(30))] }
  await t.exception(infer(large).next(), { code: 'INVALID_CREDENTIAL' }, 'strangers learn no limit')
  t.is(engine.startedGenerations, 0)
  t.is(
    (await readAll(infer({ messages: [message('x'.repeat(18)), message('é')] }))).chunks.length,
    1,
  )
})
