import test from 'brittle'
import { type Random, SystemRandom } from '../../../../facilities/clock/random.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { GatewayAccess } from '../../../../workers/client/gateway-access.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount } from '../../../helpers/factory.js'
import { answerFrom } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { PeersStandIn, silentConnection } from '../../../helpers/network/peers-stand-in.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { rejectionOf, settle } from '../../../helpers/until.js'
import { END } from '../../../helpers/workers/client-scene.js'

const { register, login, infer } = gatewayProtocol
const ADA = createAccount()
const SESSION = { token: 'a.b.c', expiresInMs: 60_000 }
const QUESTION = { credential: 'a.b.c', messages: [{ role: 'user' as const, content: 'Why?' }] }
const HEAD = { seed: 1, model: 'scripted' }
const never = new AbortController().signal

function scene(waitMs = 10_000, random: Random = new SystemRandom()) {
  const clock = new VirtualClock()
  const gateways = new PeersStandIn('gateway')
  const told: string[] = []
  const access = new GatewayAccess({
    gateways,
    lookedFor: 'gateways of mesh 1234',
    clock,
    random,
    waitMs,
    onWaiting: ({ code }) => void told.push(code),
  })
  return { clock, gateways, told, access }
}

/** A gateway that answers a login. */
function gateway() {
  const connection = silentConnection('gateway')
  connection.call.resolves(SESSION)
  return connection
}

const failure = (code: ConstructorParameters<typeof StarlingError>[0]) =>
  new StarlingError(code, `it is ${code}`)

/** An answer of these tokens, which ends well or fails. */
function answer(texts: string[], error?: Error) {
  async function* tokens() {
    for (const [index, text] of texts.entries()) yield { text, tokenId: index, index }
    if (error) throw error
    return END
  }
  return answerFrom(tokens(), HEAD)
}

/** Sends the question and reads the answer. */
async function read(access: GatewayAccess) {
  return await readAll(await access.open(infer, QUESTION, never))
}

test('should call at once and say nothing when a gateway is there', async (t) => {
  const { gateways, told, access, clock } = scene()
  const connection = gateway()
  gateways.connect(connection)
  t.alike(await access.call(login, ADA, never), SESSION)
  const [method, body, options] = connection.call.firstCall.args
  t.is(method, login)
  t.alike(body, ADA)
  t.is(options.signal, never)
  t.ok(options.origin.requestId.startsWith('req_'))
  t.alike(told, [])
  t.is(clock.pending, 0)
})

test('should continue as soon as a gateway connects when there was none', async (t) => {
  const { clock, gateways, told, access } = scene()
  const session = access.call(login, ADA, never)
  await clock.advance(700)
  gateways.connect(gateway())
  t.alike(await session, SESSION)
  t.is(clock.monotonic(), 700)
  t.alike(told, [], 'a short wait is not worth a word')
  t.is(clock.pending, 0)
  t.is(gateways.listenerCount('connected'), 0)
})

test('should say once what it waits for when the wait gets long', async (t) => {
  const { clock, gateways, told, access } = scene()
  const session = access.call(login, ADA, never)
  await clock.advance(999)
  t.alike(told, [])
  await clock.advance(6_000)
  t.alike(told, ['GATEWAY_NOT_FOUND'])
  const connection = gateway()
  connection.call.rejects(failure('AUTH_UNAVAILABLE'))
  gateways.connect(connection)
  await clock.advance(1_500)
  t.alike(told, ['GATEWAY_NOT_FOUND', 'AUTH_UNAVAILABLE'], 'and each new reason once')
  connection.call.resolves(SESSION)
  t.alike(await clock.advanceUntil(session), SESSION)
})

test('should say what it looked for and for how long when it found no gateway', async (t) => {
  const { clock, access } = scene(3_000)
  const session = access.call(login, ADA, never)
  const refused = t.exception(session, {
    code: 'GATEWAY_NOT_FOUND',
    message: 'No gateway found: looked for gateways of mesh 1234 for 3.0 s',
  })
  await clock.advance(3_000)
  await refused
})

test('should not wait when it is told not to', async (t) => {
  const { access } = scene(0)
  await t.exception(access.call(login, ADA, never), { code: 'GATEWAY_NOT_FOUND' })
  await t.exception(access.open(infer, QUESTION, never), { code: 'GATEWAY_NOT_FOUND' })
})

test('should retry a refused call when it was certainly not executed', async (t) => {
  for (const code of ['AUTH_UNAVAILABLE', 'PEER_UNREACHABLE', 'OVERLOADED', 'DRAINING'] as const) {
    const { clock, gateways, access } = scene()
    const connection = gateway()
    connection.call.onFirstCall().rejects(failure(code))
    connection.call.resolves({ userId: 'usr_1' })
    gateways.connect(connection)
    const registered = access.call(register, ADA, never)
    await settle()
    await clock.advance(500)
    t.alike(await registered, { userId: 'usr_1' }, code)
    t.is(connection.call.callCount, 2)
  }
})

test('should not retry a registration when its outcome is unknown', async (t) => {
  for (const code of ['PEER_LOST', 'DEADLINE_EXCEEDED', 'INTERNAL'] as const) {
    const { gateways, access } = scene()
    const connection = gateway()
    connection.call.rejects(failure(code))
    gateways.connect(connection)
    await t.exception(access.call(register, ADA, never), { code })
    t.is(connection.call.callCount, 1)
  }
})

test('should retry a login on another gateway when the first was lost', async (t) => {
  const { gateways, access, clock } = scene()
  const [first, second] = [gateway(), gateway()]
  gateways.connect(first)
  first.call.callsFake(async () => {
    gateways.lose(first)
    throw failure('PEER_LOST')
  })
  const session = access.call(login, ADA, never)
  await settle()
  gateways.connect(second)
  t.alike(await session, SESSION)
  t.is(first.call.callCount, 1)
  t.is(second.call.callCount, 1)
  t.is(clock.monotonic(), 0)
})

test('should not retry when a retry cannot help', async (t) => {
  for (const code of ['INVALID_CREDENTIAL', 'MODEL_NOT_FOUND', 'FORBIDDEN'] as const) {
    const { gateways, access } = scene()
    const connection = gateway()
    connection.call.rejects(failure(code))
    gateways.connect(connection)
    await t.exception(access.call(login, ADA, never), { code })
    t.is(connection.call.callCount, 1)
  }
  const { gateways, access } = scene()
  const connection = gateway()
  connection.call.rejects(new TypeError('a bug'))
  gateways.connect(connection)
  await t.exception.all(access.call(login, ADA, never), /a bug/)
})

test('should give up with the last reason when waiting did not help', async (t) => {
  const { clock, gateways, access } = scene(2_000)
  const connection = gateway()
  connection.call.rejects(failure('AUTH_UNAVAILABLE'))
  gateways.connect(connection)
  const asked = rejectionOf(access.call(login, ADA, never))
  t.is(Object(await clock.advanceUntil(asked)).code, 'AUTH_UNAVAILABLE')
  t.ok(connection.call.callCount >= 4, 'less and less often')
  t.is(clock.monotonic(), 2_000, 'the last try comes when the patience ends')
})

test('should stop waiting at once when the user cancels', async (t) => {
  const { clock, gateways, access } = scene()
  const controller = new AbortController()
  const session = access.call(login, ADA, controller.signal)
  await clock.advance(600)
  controller.abort(failure('CANCELLED'))
  await t.exception(session, { code: 'CANCELLED' })
  t.is(clock.pending, 0)
  t.is(gateways.listenerCount('connected'), 0)
})

test('should stream an answer to its end when a gateway is there', async (t) => {
  const { gateways, access } = scene()
  const connection = gateway()
  connection.open.returns(answer(['be', 'cause']))
  gateways.connect(connection)
  const { chunks, end } = await read(access)
  t.is(chunks.map(({ text }) => text).join(''), 'because')
  t.alike(end, END)
  t.alike(connection.open.firstCall.args[1], QUESTION)
})

test('should end at once when an answer has no tokens', async (t) => {
  const { gateways, access } = scene()
  const connection = gateway()
  connection.open.returns(answer([]))
  gateways.connect(connection)
  t.alike(await read(access), { chunks: [], end: END })
})

test('should retry when no token of the answer was received', async (t) => {
  for (const code of ['MODEL_UNAVAILABLE', 'PEER_LOST', 'OVERLOADED'] as const) {
    const { clock, gateways, access } = scene()
    const connection = gateway()
    connection.open.onFirstCall().returns(answer([], failure(code)))
    connection.open.onSecondCall().returns(answer(['yes']))
    gateways.connect(connection)
    const reading = read(access)
    await settle()
    await clock.advance(500)
    t.is((await reading).chunks.length, 1, code)
  }
})

test('should report the rate limit at once', async (t) => {
  const { gateways, access, clock } = scene()
  const connection = gateway()
  connection.open.returns(answer([], failure('RATE_LIMITED')))
  gateways.connect(connection)
  await t.exception(read(access), { code: 'RATE_LIMITED' })
  t.is(connection.open.callCount, 1)
  t.is(clock.pending, 0)
})

test('should wait when other answers of the user are in progress', async (t) => {
  const { gateways, access, clock } = scene()
  const connection = gateway()
  const full = new StarlingError('RATE_LIMITED', 'You have 3 answers', { retryAfterMs: 1_000 })
  connection.open.onFirstCall().returns(answer([], full))
  connection.open.onSecondCall().returns(answer(['yes']))
  gateways.connect(connection)
  const reading = read(access)
  t.is((await clock.advanceUntil(reading)).chunks.length, 1)
})

test('should not retry after the first token', async (t) => {
  const { gateways, access, clock } = scene()
  const connection = gateway()
  connection.open.returns(answer(['be'], failure('PEER_LOST')))
  gateways.connect(connection)
  const stream = await access.open(infer, QUESTION, never)
  t.is((await stream.next()).done, false)
  await t.exception(stream.next(), { code: 'PEER_LOST' })
  t.is(connection.open.callCount, 1)
  t.is(clock.pending, 0)
})

test('should end the stream at the gateway when the reader stops', async (t) => {
  const { gateways, access } = scene()
  const connection = gateway()
  let ended = false
  async function* tokens() {
    try {
      for (let index = 0; ; index += 1) yield { text: 'x', tokenId: 0, index }
    } finally {
      ended = true
    }
  }
  connection.open.callsFake(() => answerFrom(tokens(), HEAD))
  gateways.connect(connection)
  for await (const _token of await access.open(infer, QUESTION, never)) break
  t.ok(ended)
})

/** When, in milliseconds, a gateway that always fails was called until the client gave up. */
async function callsOf(error: StarlingError, random?: Random): Promise<number[]> {
  const { clock, gateways, access } = scene(10_000, random)
  const connection = gateway()
  const times: number[] = []
  connection.call.callsFake(async () => {
    times.push(clock.monotonic())
    throw error
  })
  gateways.connect(connection)
  await clock.advanceUntil(rejectionOf(access.call(login, ADA, never)))
  return times
}

test('should report a crash at once, and not send a request that crashed one processor to another', async (t) => {
  const { gateways, access, clock } = scene()
  const connections = [gateway(), gateway(), gateway()]
  for (const connection of connections) {
    connection.open.callsFake(() => answer([], failure('ENGINE_CRASHED')))
    gateways.connect(connection)
  }
  const asked = rejectionOf(read(access))
  t.is(Object(await clock.advanceUntil(asked)).code, 'ENGINE_CRASHED')
  t.is(
    connections.reduce((sum, { open }) => sum + open.callCount, 0),
    1,
  )
})

test('should not retry a request that used the whole time limit of an answer', async (t) => {
  const { gateways, access, clock } = scene()
  const connection = gateway()
  connection.open.callsFake(() => answer([], failure('DEADLINE_EXCEEDED')))
  gateways.connect(connection)
  const asked = rejectionOf(read(access))
  t.is(Object(await clock.advanceUntil(asked)).code, 'DEADLINE_EXCEEDED')
  t.is(connection.open.callCount, 1)
})

test('should retry once, and not twice, when the worker with the request was lost', async (t) => {
  const { gateways, access, clock } = scene()
  const connection = gateway()
  connection.open.callsFake(() => answer([], failure('PEER_LOST')))
  gateways.connect(connection)
  const asked = rejectionOf(read(access))
  t.is(Object(await clock.advanceUntil(asked)).code, 'PEER_LOST')
  t.is(connection.open.callCount, 2)
})

test('should wait at least as long as the error says before it retries', async (t) => {
  const waits = new StarlingError('OVERLOADED', 'full', { retryAfterMs: 3_000 })
  const times = await callsOf(waits)
  t.ok(times.length >= 3, `${times}`)
  for (const [index, time] of times.entries()) {
    if (index > 0) t.ok(time - (times[index - 1] ?? 0) >= 3_000, `${times}`)
  }
})

test('should not retry before the stated time when another gateway is found', async (t) => {
  const { gateways, access, clock } = scene(10_000)
  const [first, second] = [gateway(), gateway()]
  first.call.rejects(new StarlingError('OVERLOADED', 'full', { retryAfterMs: 3_000 }))
  gateways.connect(first)
  const session = access.call(login, ADA, never)
  await settle()
  gateways.connect(second)
  await clock.advanceUntil(session)
  t.ok(clock.monotonic() >= 3_000)
})

test('should fail at once when the stated retry time is after its own deadline', async (t) => {
  const { gateways, access, clock } = scene(10_000)
  const connection = gateway()
  connection.call.rejects(new StarlingError('OVERLOADED', 'full', { retryAfterMs: 10_001 }))
  gateways.connect(connection)
  await t.exception(access.call(login, ADA, never), { code: 'OVERLOADED', retryAfterMs: 10_001 })
  t.is(connection.call.callCount, 1)
  t.is(clock.pending, 0)
})

test('should back off with jitter when the error states no retry time', async (t) => {
  const [one, other] = [
    await callsOf(failure('OVERLOADED'), new SeededRandom(1)),
    await callsOf(failure('OVERLOADED'), new SeededRandom(2)),
  ]
  const pauses = one.map((time, index) => time - (one[index - 1] ?? 0)).slice(1, -1)
  t.ok(pauses.length >= 4, `${pauses}`)
  t.ok((pauses.at(-1) ?? 0) > 3 * (pauses[0] ?? 0), `${pauses}`)
  t.unlike(other, one, 'two that were refused together do not come back together')
  const asked = new StarlingError('OVERLOADED', 'full', { retryAfterMs: 2_000 })
  t.unlike(
    await callsOf(asked, new SeededRandom(1)),
    await callsOf(asked, new SeededRandom(2)),
    'not even when both are told the same time',
  )
})
