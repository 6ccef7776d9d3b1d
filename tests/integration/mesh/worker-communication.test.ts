import test, { type Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { authProtocol } from '../../../helpers/protocol/auth-protocol.js'
import { processorProtocol } from '../../../helpers/protocol/processor-protocol.js'
import { workerProtocol } from '../../../helpers/protocol/worker-protocol.js'
import type { ClientWorker } from '../../../workers/client/client-worker.js'
import { createAccount, createQuestion } from '../../helpers/factory.js'
import { readAll } from '../../helpers/network/call-service.js'
import { requestOptions } from '../../helpers/network/sample-service.js'
import { rejectionOf, until } from '../../helpers/until.js'
import { LocalWorkers } from '../../helpers/workers/local-workers.js'

const never = new AbortController().signal
const clock = new SystemClock()
const SERVERS = ['auth', 'gateway', 'processor'] as const

/** Starts a worker of every role, in that order, each once the one before serves. */
async function startInOrder(mesh: LocalWorkers, order: readonly (typeof SERVERS)[number][]) {
  for (const role of order) {
    if (role === 'processor') await mesh.processor(new ScriptedEngine())
    else await mesh[role]()
  }
}

async function echoTo(client: ClientWorker, text: string): Promise<string> {
  const { chunks } = await readAll(client.ask(createQuestion(text), never))
  return chunks.map((chunk) => chunk.text).join('')
}

async function registeredClient(mesh: LocalWorkers): Promise<ClientWorker> {
  const client = await mesh.client()
  await client.accounts.register(createAccount(), never)
  return client
}

async function wholeMesh(t: Test): Promise<LocalWorkers> {
  const mesh = await LocalWorkers.create(t)
  await Promise.all([mesh.auth(), mesh.gateway(), mesh.processor(new ScriptedEngine())])
  return mesh
}

const orders: (typeof SERVERS)[number][][] = [
  ['auth', 'gateway', 'processor'],
  ['processor', 'gateway', 'auth'],
  ['gateway', 'processor', 'auth'],
]
for (const order of orders) {
  test(`should find each other when they are started ${order.join(', ')}`, async (t) => {
    const mesh = await LocalWorkers.create(t)
    // The client comes first, and waits.
    const client = await mesh.client()
    const registered = client.accounts.register(createAccount(), never)
    await startInOrder(mesh, order)
    await registered
    t.is(await echoTo(client, 'here we are'), 'here we are')
  })
}

test('should report identity and health when workers of any role are asked', async (t) => {
  const mesh = await wholeMesh(t)
  for (const role of SERVERS) {
    const connection = await mesh.connectionTo(role)
    t.alike(connection.identity.certificate.roles, [role])
    t.alike(await connection.call(workerProtocol.ping, {}, requestOptions(clock)), {})
    const info = await connection.call(workerProtocol.info, {}, requestOptions(clock))
    t.is(info.role, role)
    const stats = await connection.call(workerProtocol.stats, {}, requestOptions(clock))
    t.is(stats.connections.unverified, 0)
  }
})

test('should refuse a call for another role, by the verified role, and stay connected', async (t) => {
  const mesh = await wholeMesh(t)
  const processor = await mesh.connectionTo('processor')
  const auth = await mesh.connectionTo('auth')
  // A client, with a genuine certificate, that goes round the gateway.
  const generation = processor.open(
    processorProtocol.generate,
    { ...createQuestion('let me in'), model: 'scripted' },
    requestOptions(clock),
  )
  const credential = { ...createAccount(), peer: '00'.repeat(32) }
  const refusals = [
    await rejectionOf(generation.next()),
    await rejectionOf(auth.call(authProtocol.sessionKeys, {}, requestOptions(clock))),
    await rejectionOf(auth.call(authProtocol.login, credential, requestOptions(clock))),
  ]
  for (const refusal of refusals) t.is(Object(refusal).code, 'FORBIDDEN', String(refusal))
  t.ok(processor.isOpen && auth.isOpen)
})

test('should keep answers complete and separate when many share one connection', async (t) => {
  const mesh = await LocalWorkers.create(t)
  const engine = new ScriptedEngine()
  await Promise.all([
    mesh.auth(),
    mesh.gateway(),
    mesh.processor(engine, { slots: 8, queueLength: 32 }),
  ])
  const client = await registeredClient(mesh)
  const questions = Array.from({ length: 24 }, (_, number) =>
    Array.from({ length: 30 }, (_, word) => `w${number}-${word}`).join(' '),
  )
  const { userId } = await client.whoami(never)
  const [answers, users] = await Promise.all([
    Promise.all(questions.map((question) => echoTo(client, question))),
    Promise.all(questions.map(async () => (await client.whoami(never)).userId)),
  ])
  t.alike(answers, questions)
  t.ok(users.every((user) => user === userId))
  t.is(engine.activeGenerations, 0)
})

test('should continue with the available workers when gateways and processors come and go', async (t) => {
  const mesh = await LocalWorkers.create(t)
  const engine = new ScriptedEngine()
  const [gateway, processor] = await Promise.all([
    mesh.gateway(),
    mesh.processor(engine),
    mesh.auth(),
  ])
  const client = await registeredClient(mesh)
  t.is(await echoTo(client, 'with the first'), 'with the first')

  const successor = new ScriptedEngine()
  await mesh.processor(successor)
  await processor.close()
  t.is(await echoTo(client, 'with another processor'), 'with another processor')
  t.is(successor.startedGenerations, 1)

  await mesh.gateway()
  await gateway.close()
  t.is(await echoTo(client, 'through another gateway'), 'through another gateway')
  t.is(successor.startedGenerations, 2)
  await until('all to be over', () => successor.activeGenerations === 0)
})
