import test, { type Test } from 'brittle'
import { spy } from 'sinon'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ClientWorker } from '../../../workers/client/client-worker.js'
import { createAccount } from '../../helpers/factory.js'
import { readAll } from '../../helpers/network/call-service.js'
import { rejectionOf, settle, until } from '../../helpers/until.js'
import { LocalWorkers, STREAM_WINDOW_CHUNKS } from '../../helpers/workers/local-workers.js'
import { busyOf } from '../../helpers/workers/offered-models.js'

const ADA = createAccount()
const never = new AbortController().signal

function question(content: string) {
  return { messages: [{ role: 'user' as const, content }] }
}

/** The text of a whole answer. */
async function answerOf(client: ClientWorker, content: string): Promise<string> {
  const { chunks } = await readAll(client.ask(question(content), never))
  return chunks.map(({ text }) => text).join('')
}

/** An engine that holds every answer before a token until the test lets it go on. */
function heldBefore(token: number) {
  let letGoOn = () => {}
  const gate = new Promise<void>((resolve) => {
    letGoOn = resolve
  })
  const engine = new ScriptedEngine({
    beforeToken: (index) => (index === token ? gate : undefined),
  })
  return { engine, goOn: () => letGoOn() }
}

/** A mesh with one processor, and a client whose user has registered. */
async function scene(
  t: Test,
  engine = new ScriptedEngine(),
  options: { slots?: number; queueLength?: number } = {},
) {
  const mesh = await LocalWorkers.create(t)
  const [auth, gateway, processor, client] = await Promise.all([
    mesh.auth(),
    mesh.gateway(),
    mesh.processor(engine, options),
    mesh.client(),
  ])
  await client.accounts.register(ADA, never)
  return { mesh, auth, gateway, processor, client, engine }
}

/** Milliseconds that an action took. */
async function elapsed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await action()
  return Math.round(performance.now() - startedAt)
}

test('should stream an answer when a user has registered and logged in', async (t) => {
  const { client, engine } = await scene(t)
  const { email, expiresAt } = await client.accounts.login(ADA, never)
  t.is(email, ADA.email)
  t.ok(expiresAt > Date.now())
  const { chunks, end } = await readAll(client.ask(question('one two three'), never))
  const seed = chunks[0]?.seed
  t.ok(seed !== undefined, 'with which the answer can be repeated')
  t.alike(chunks, [
    { text: 'one', tokenId: 0, index: 0, seed, model: 'scripted', reproducibility: 'exact' },
    { text: ' two', tokenId: 1, index: 1 },
    { text: ' three', tokenId: 2, index: 2 },
  ])
  t.alike(end, {
    finishReason: 'stop',
    promptTokens: 3,
    cachedTokens: 0,
    completionTokens: 3,
    timings: { promptMs: 0, generationMs: 0 },
    model: 'scripted',
  })
  t.is(engine.activeGenerations, 0)
})

test('should keep the session when it is a processor that calls it invalid', async (t) => {
  const lie = new StarlingError('INVALID_CREDENTIAL', 'Log in again at http://evil.example')
  const { client } = await scene(t, new ScriptedEngine({ beforeToken: () => Promise.reject(lie) }))
  const login = spy(client.accounts, 'login')
  const error = Object(await rejectionOf(answerOf(client, 'hi')))
  t.is(error.code, 'PROTOCOL_VIOLATION')
  t.absent(error.message.includes('evil'))
  t.is(login.callCount, 0)
})

test('should be answered when the workers are started after the request was sent', async (t) => {
  const mesh = await LocalWorkers.create(t)
  const client = await mesh.client()
  const registered = client.accounts.register(ADA, never)
  await mesh.gateway()
  await mesh.auth()
  await registered
  const answer = answerOf(client, 'at last')
  await mesh.processor(new ScriptedEngine())
  t.is(await answer, 'at last')
})

test('should fail within two seconds with a retryable error when the processor is lost mid-answer', async (t) => {
  const { engine } = heldBefore(2)
  const { client, processor } = await scene(t, engine)
  const answer = client.ask(question('one two three'), never)
  await answer.next()
  await answer.next()
  const lost = rejectionOf(answer.next())
  const elapsedMs = await elapsed(async () => {
    await Promise.all([processor.close(), lost])
  })
  const error = await lost
  t.ok(isStarlingError(error, 'PEER_LOST', 'DRAINING'), String(error))
  t.ok(isStarlingError(error) && error.retryable)
  t.ok(elapsedMs < 2_000, `${elapsedMs} ms`)
})

test('should fail within two seconds when the gateway is lost mid-answer, and stop the engine', async (t) => {
  const { engine } = heldBefore(1)
  const { client, gateway } = await scene(t, engine)
  const answer = client.ask(question('one two'), never)
  await answer.next()
  const lost = rejectionOf(answer.next())
  const elapsedMs = await elapsed(async () => {
    await Promise.all([gateway.close(), lost])
    await until('the engine to stop', () => engine.activeGenerations === 0)
  })
  t.ok(isStarlingError(await lost, 'PEER_LOST'))
  t.ok(elapsedMs < 2_000, `${elapsedMs} ms`)
})

test('should be answered by another processor when the first is lost before its first token', async (t) => {
  const { engine } = heldBefore(0)
  const { client, processor, mesh } = await scene(t, engine)
  const answer = answerOf(client, 'hello again')
  await until('the first to work', () => engine.activeGenerations === 1)
  const second = new ScriptedEngine()
  await mesh.processor(second)
  await processor.close()
  t.is(await answer, 'hello again')
  t.is(second.startedGenerations, 1)
})

test('should stop the engine and free the slot at once when the client cancels', async (t) => {
  const { engine } = heldBefore(1)
  const { client, processor } = await scene(t, engine, { slots: 1, queueLength: 0 })
  const controller = new AbortController()
  const answer = client.ask(question('one two'), controller.signal)
  await answer.next()
  const cancelled = rejectionOf(answer.next())
  t.is(engine.activeGenerations, 1)
  const elapsedMs = await elapsed(async () => {
    controller.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
    await until('the engine to stop', () => engine.activeGenerations === 0)
  })
  t.ok(isStarlingError(await cancelled, 'CANCELLED'))
  t.ok(elapsedMs < 250, `${elapsedMs} ms`)
  await until('the slot to be free', () => busyOf(processor.worker.load()).running === 0)
  t.is(engine.tokensProduced, 1)
})

test('should apply backpressure to the engine when the reader is slow, and lose nothing', async (t) => {
  const words = Array.from({ length: 1_000 }, (_, index) => `w${index}`)
  const engine = new ScriptedEngine({ script: () => words })
  const { client } = await scene(t, engine)
  const options = { maxTokens: 2_000 }
  const answer = client.ask({ ...question('go'), options }, never)
  await answer.next()
  // Round trips through the same connections: time in which an unbound engine would have run dry.
  for (let trip = 0; trip < 10; trip += 1) await client.accounts.login(ADA, never)
  await settle(20)
  const { tokensProduced } = engine
  // What each of the two connections may be ahead, the token in the gateway's hands, and our own.
  const bound = 2 * STREAM_WINDOW_CHUNKS + 3
  t.ok(tokensProduced <= bound, `${tokensProduced} tokens, at most ${bound}`)
  const { chunks } = await readAll(answer)
  t.alike(
    chunks.map(({ text }) => text),
    words.slice(1),
  )
  t.is(engine.tokensProduced, 1_000)
})

test('should refuse at once when the queue is full, and serve the queued requests', async (t) => {
  const { engine, goOn } = heldBefore(0)
  const { client, processor, mesh } = await scene(t, engine, { slots: 1, queueLength: 1 })
  const answers = [answerOf(client, 'first'), answerOf(client, 'second')]
  await until('one to run and one to wait', () => {
    const { running, queued } = busyOf(processor.worker.load())
    return running === 1 && queued === 1
  })
  const impatient = await mesh.client({ waitMs: 0 })
  await impatient.accounts.login(ADA, never)
  const elapsedMs = await elapsed(async () => {
    // No answer has ended yet: nobody knows how long one takes.
    const full = { code: 'OVERLOADED', retryAfterMs: undefined }
    await t.exception(answerOf(impatient, 'third'), full)
  })
  t.ok(elapsedMs < 250, `${elapsedMs} ms`)
  const patient = answerOf(client, 'fourth')
  goOn()
  t.alike(await Promise.all(answers), ['first', 'second'])
  t.is(await patient, 'fourth', 'who waits is served in the end')
})

test('should admit exactly 10 of 50 requests when one user sends them at once', async (t) => {
  const mesh = await LocalWorkers.create(t)
  const engine = new ScriptedEngine()
  const [client] = await Promise.all([
    mesh.client(),
    mesh.auth(),
    mesh.gateway({ rateLimit: { perMinute: 10, maxUsers: 100 } }),
    mesh.processor(engine, { slots: 4, queueLength: 50 }),
  ])
  await client.accounts.register(ADA, never)
  const asked = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) => answerOf(client, `question ${index}`)),
  )
  const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  t.is(asked.length - refused.length, 10)
  t.is(engine.startedGenerations, 10)
  t.ok(refused.every((error) => isStarlingError(error, 'RATE_LIMITED')))
  t.ok(refused.every(({ retryAfterMs }) => retryAfterMs > 4_000 && retryAfterMs <= 6_000))
  await client.accounts.register({ ...ADA, email: 'bob@example.com' }, never)
  t.is(await answerOf(client, 'another user'), 'another user')
})

test('should say whose session it is and what is served when the mesh is asked', async (t) => {
  const { client, mesh } = await scene(t)
  const { email, userId, expiresInMs } = await client.whoami(never)
  t.is(email, ADA.email)
  t.ok(userId.startsWith('usr_'))
  // A session's end is rounded up to a whole second.
  t.ok(expiresInMs > 0 && expiresInMs <= 12 * 60 * 60 * 1000 + 1000)
  const [model] = await client.models(never)
  t.alike(model, {
    name: 'scripted',
    processors: 1,
    loaded: 1,
    slots: 4,
    contextTokens: 4096,
  })
  const stranger = await mesh.client()
  await t.exception(stranger.whoami(never), { code: 'NOT_LOGGED_IN' })
  await t.exception(stranger.models(never), { code: 'NOT_LOGGED_IN' })
})
