import test, { type Test } from 'brittle'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import type { ClientWorker } from '../../../workers/client/client-worker.js'
import { createAccount, createQuestion } from '../../helpers/factory.js'
import { readAll } from '../../helpers/network/call-service.js'
import { rejectionOf, untilItWorks } from '../../helpers/until.js'
import { LocalWorkers } from '../../helpers/workers/local-workers.js'

const never = new AbortController().signal
const ADA = createAccount('ada')

/** A mesh that can answer, and a client of it that nobody has logged in at. */
async function scene(t: Test) {
  const mesh = await LocalWorkers.create(t)
  const [auth, gateway, , client] = await Promise.all([
    mesh.auth(),
    mesh.gateway(),
    mesh.processor(new ScriptedEngine()),
    mesh.client(),
  ])
  return { mesh, auth, gateway, client }
}

async function echoTo(client: ClientWorker, text: string): Promise<string> {
  const { chunks } = await readAll(client.ask(createQuestion(text), never))
  return chunks.map((chunk) => chunk.text).join('')
}

test('should accept a user at every gateway when the user has registered and logged in', async (t) => {
  const { mesh, client } = await scene(t)
  const registered = await client.accounts.register(ADA, never)
  t.is(registered.email, ADA.email)
  const { userId } = await client.whoami(never)
  t.ok(/^usr_[0-9A-Z]{26}$/.test(userId), userId)

  // A home of its own, as on another machine.
  const elsewhere = await mesh.client()
  await elsewhere.accounts.login(ADA, never)
  t.is((await elsewhere.whoami(never)).userId, userId)
  t.is(await echoTo(elsewhere, 'good morning'), 'good morning')

  const other = await mesh.client()
  await other.accounts.register(createAccount('bob'), never)
  t.not((await other.whoami(never)).userId, userId)
})

test('should open no session and reveal no account when a password or an address is wrong', async (t) => {
  const { client } = await scene(t)
  await client.accounts.register(ADA, never)
  const wrongPassword = { ...ADA, password: 'wrong horse' }
  const refusals = [
    await rejectionOf(client.accounts.login(wrongPassword, never)),
    await rejectionOf(client.accounts.login(createAccount('nobody'), never)),
  ]
  for (const refusal of refusals) t.is(Object(refusal).code, 'INVALID_CREDENTIAL')
  const [message, other] = refusals.map((refusal) => Object(refusal).message)
  t.is(message, other, 'whether somebody has registered is not told')
})

test('should verify sessions at every gateway, and refuse only logins, when auth is unavailable', async (t) => {
  const { mesh, auth, client } = await scene(t)
  await client.accounts.register(ADA, never)
  const { userId } = await client.whoami(never)
  await auth.close()
  t.is((await client.whoami(never)).userId, userId)
  t.is(await echoTo(client, 'still here'), 'still here')

  const impatient = await mesh.client({ waitMs: 0 })
  const refusal = Object(await rejectionOf(impatient.accounts.login(ADA, never)))
  t.is(refusal.code, 'AUTH_UNAVAILABLE')
  t.ok(refusal.retryable)
})

test('should wait for auth when a gateway starts without it, and verify when auth is available', async (t) => {
  const { mesh, auth, gateway, client } = await scene(t)
  await client.accounts.register(ADA, never)
  const { userId } = await client.whoami(never)
  await Promise.all([auth.close(), gateway.close()])
  // It has never seen a key of this mesh.
  await mesh.gateway()
  const known = client.whoami(never)
  await mesh.auth()
  // This auth worker has a key of its own: the session is none of its.
  t.is(Object(await rejectionOf(known)).code, 'INVALID_CREDENTIAL')
  await client.accounts.register(ADA, never)
  t.not((await client.whoami(never)).userId, userId)
})

test('should fetch the new keys and drop the old ones when auth returns with a new home', async (t) => {
  const { mesh, auth, client } = await scene(t)
  await client.accounts.register(ADA, never)
  t.is(await echoTo(client, 'before'), 'before')
  await auth.close()
  await mesh.auth()

  const returned = await mesh.client()
  await returned.accounts.register(ADA, never)
  // Gateways ask for keys once a second at most, however many sessions name one that they lack.
  const answer = await untilItWorks('the new key to be known', () => echoTo(returned, 'after'))
  t.is(answer, 'after')
  t.is(Object(await rejectionOf(client.whoami(never))).code, 'INVALID_CREDENTIAL')
})
