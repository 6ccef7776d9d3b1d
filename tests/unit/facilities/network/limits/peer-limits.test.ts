import test, { type Test } from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import type { NetworkLimits } from '../../../../../facilities/network/limits/network-limit-settings.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import type { Identity } from '../../../../../helpers/identity/identity.js'
import type { Role } from '../../../../../helpers/identity/roles.js'
import { roles } from '../../../../../helpers/protocol/call-policy.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import {
  count,
  echo,
  sampleLog,
  sampleService,
} from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

/** A gateway with these limits, and anybody who dials it. */
async function scene(
  t: Test,
  limits: Partial<NetworkLimits>,
  options: { service?: Service; gateway?: Identity } = {},
) {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const gateway = await mesh.node('gateway', {
    service: options.service ?? sampleService(log),
    limits,
  })
  const member = async (role: Role, identity = mesh.authority.identity(role)) => {
    const node = await mesh.node(role, { identity })
    return { node, dial: () => mesh.dial(node, gateway) }
  }
  return { mesh, log, gateway, member }
}

/** What a dial was refused with. */
async function refusalOf(dial: Promise<unknown>) {
  const { code, retryAfterMs, message } = Object(await rejectionOf(dial))
  return { code, retryAfterMs, message }
}

test('should refuse typed when one key connects more often than it may, and let others in', async (t) => {
  const { gateway, member } = await scene(t, { maxConnectionsPerKey: 3 })
  const greedy = await member('client')
  const held = await Promise.all(Array.from({ length: 3 }, () => greedy.dial()))
  t.alike(await refusalOf(greedy.dial()), {
    code: 'OVERLOADED',
    retryAfterMs: 1000,
    message: 'The other worker refused us: client@test has 3 connections; one key may have 3',
  })
  t.ok(
    held.every(({ isOpen }) => isOpen),
    'what it has it keeps',
  )
  const other = await member('client')
  t.ok((await other.dial()).isOpen)
  t.is(gateway.node.connectionCounts.proved, 4)
})

test('should let a key in again when one of its connections has ended', async (t) => {
  const { gateway, member } = await scene(t, { maxConnectionsPerKey: 1 })
  const client = await member('client')
  const first = await client.dial()
  t.is((await refusalOf(client.dial())).code, 'OVERLOADED')
  first.destroy()
  await until('the end of it', () => gateway.node.connectionCounts.proved === 0)
  t.ok((await client.dial()).isOpen)
})

test('should hold at most what one key may have when it connects very often at once', async (t) => {
  const { mesh, gateway, member } = await scene(t, {
    maxConnections: 16,
    maxUnverifiedConnections: 40,
  })
  const greedy = await member('client')
  const dials = await Promise.allSettled(Array.from({ length: 40 }, () => greedy.dial()))
  t.is(dials.filter(({ status }) => status === 'fulfilled').length, 4)
  t.is(gateway.node.connectionCounts.proved, 4)
  t.ok((await (await member('client')).dial()).isOpen)
  t.ok((await (await member('auth')).dial()).isOpen)
  await mesh.time.advance(1_000)
  await until('nothing to be left', () => gateway.node.connectionCounts.unverified === 0)
})

test('should keep places for workers when clients have taken all of theirs', async (t) => {
  const { member } = await scene(t, { maxConnections: 4 })
  for (let taken = 0; taken < 3; taken += 1) t.ok((await (await member('client')).dial()).isOpen)
  const late = await member('client')
  t.is((await refusalOf(late.dial())).code, 'OVERLOADED')
  const auth = await member('auth')
  t.ok((await auth.dial()).isOpen)
  t.is((await refusalOf((await member('processor')).dial())).code, 'OVERLOADED', 'full for all')
})

test('should let a restarted worker in when its old connection is dead and not noticed yet', async (t) => {
  const { mesh, member, log } = await scene(t, { maxConnectionsPerKey: 1, workerFactor: 1 })
  const identity = mesh.authority.identity('client')
  const killed = await (await member('client', identity)).dial()
  const chunks = killed.open(count, { to: 1_000 }, mesh.call())
  await chunks.next()
  const piped = mesh.network.connections.at(-1)
  piped?.initiatorEnd.stall()
  piped?.responderEnd.stall()
  const restarted = await member('client', identity)
  t.is((await refusalOf(restarted.dial())).code, 'OVERLOADED', 'it may be alive')
  await mesh.time.advance(TEST_LIMITS.heartbeatIntervalMs * 2)
  t.is(log.running, 1, 'not noticed yet')
  t.ok((await restarted.dial()).isOpen)
  await until('the end of the old connection', () => log.running === 0)
  killed.destroy()
})

test('should count the streams of one key on all its connections, and keep the connection', async (t) => {
  const { mesh, member } = await scene(t, { maxStreamsPerKey: 3 })
  const greedy = await member('client')
  const connections = [await greedy.dial(), await greedy.dial()]
  const open = (index: number) =>
    connections[index]?.open(count, { to: 1_000 }, mesh.call()) ?? chunksOfNobody()
  const streams = [open(0), open(0), open(1)]
  for (const chunks of streams) await chunks.next()
  for (const index of [0, 1]) {
    const error = Object(await rejectionOf(open(index).next()))
    t.alike([error.code, error.retryAfterMs], ['OVERLOADED', undefined])
  }
  const other = await (await member('client')).dial()
  t.alike((await other.open(count, { to: 1 }, mesh.call()).next()).value, { n: 0 })
  await streams[0]?.return({ total: 0 })
  await settle(10)
  t.alike((await open(1).next()).value, { n: 0 })
  t.ok(connections.every(({ isOpen }) => isOpen))
})

test('should keep streams and calls for workers when clients have taken all of theirs', async (t) => {
  const waiting: (() => void)[] = []
  const forAll = roles('client', 'auth')
  const service = sampleService()
    .stream({ ...count, callers: forAll }, async function* () {
      yield { n: 0 }
      await new Promise<void>((resolve) => waiting.push(resolve))
      return { total: 1 }
    })
    .unary({ ...echo, callers: forAll }, async ({ text }) => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return { text }
    })
  const { mesh, member } = await scene(t, { maxStreams: 4, maxCalls: 4 }, { service })
  const clients = await Promise.all([1, 2, 3].map(async () => (await member('client')).dial()))
  const calls: Promise<unknown>[] = []
  for (const client of clients) {
    await client.open(count, { to: 2 }, mesh.call()).next()
    calls.push(client.call(echo, { text: '' }, mesh.call()))
  }
  const late = await (await member('client')).dial()
  t.is((await refusalOf(late.open(count, { to: 2 }, mesh.call()).next())).code, 'OVERLOADED')
  t.is((await refusalOf(late.call(echo, { text: '' }, mesh.call()))).code, 'OVERLOADED')
  const auth = await (await member('auth')).dial()
  t.alike((await auth.open(count, { to: 2 }, mesh.call()).next()).value, { n: 0 })
  calls.push(auth.call(echo, { text: '' }, mesh.call()))
  await until('all handlers', () => waiting.length === 8)
  for (const goOn of waiting) goOn()
  t.is((await Promise.all(calls)).length, 4)
})

test('should refuse a request when those of its key under way are large together', async (t) => {
  const { mesh, member, log } = await scene(t, { maxRequestBytesPerKey: 2.5 * 1024 * 1024 })
  const client = await (await member('client')).dial()
  const padding = 'x'.repeat(1024 * 1024)
  const open = () => client.open(count, { to: 1_000, padding }, mesh.call())
  const streams = [open(), open()]
  for (const chunks of streams) await chunks.next()
  const error = await refusalOf(open().next())
  t.is(error.code, 'OVERLOADED')
  t.ok(error.message.includes('bytes of requests in progress'), error.message)
  t.alike(await client.call(echo, { text: 'small' }, mesh.call()), { text: 'small' })
  await streams[0]?.return({ total: 0 })
  await settle(10)
  t.alike((await open().next()).value, { n: 0 })
  t.is(log.started, 3)
})

/** A service that refuses everything for a limit. */
function refusingService(): Service {
  const refuse = () => new StarlingError('RATE_LIMITED', 'too often')
  return (
    new Service()
      .unary(echo, async () => {
        throw refuse()
      })
      // biome-ignore lint/correctness/useYield: it refuses before its first chunk.
      .stream(count, async function* () {
        throw refuse()
      })
  )
}

for (const kind of ['calls', 'streams'] as const) {
  test(`should hold the answers to ${kind} of a client that are refused again and again, and their places`, async (t) => {
    const { mesh, member } = await scene(t, {}, { service: refusingService() })
    const greedy = await (await member('client')).dial()
    const codes: string[] = []
    const ask = async (connection = greedy) => {
      const asked =
        kind === 'calls'
          ? connection.call(echo, { text: '' }, mesh.call())
          : connection.open(count, { to: 1 }, mesh.call()).next()
      const { code } = await refusalOf(asked)
      codes.push(code)
    }
    for (let asked = 0; asked < 10; asked += 1) await ask()
    t.alike(codes.splice(0), Array(10).fill('RATE_LIMITED'), 'the first ones at once')
    const held = Array.from({ length: 8 }, () => ask())
    await settle(20)
    t.alike(codes, [], 'the next ones are held')
    await ask()
    t.alike(codes.splice(0), ['OVERLOADED'], 'they take all places of the key')
    await ask(await (await member('client')).dial())
    t.alike(codes.splice(0), ['RATE_LIMITED'], 'another client')
    await mesh.time.advance(1_000)
    await Promise.all(held)
    t.alike(codes, Array(8).fill('RATE_LIMITED'))
  })
}

test('should not read from a client for a while when it is refused again and again and has no place left', async (t) => {
  const { mesh, gateway, member } = await scene(t, {}, { service: refusingService() })
  const greedy = await (await member('client')).dial()
  const other = await (await member('client')).dial()
  let overloaded = 0
  const ask = async (connection = greedy) => {
    const { code } = await refusalOf(connection.call(echo, { text: '' }, mesh.call()))
    if (code === 'OVERLOADED') overloaded += 1
  }
  for (let asked = 0; asked < 10; asked += 1) await ask()
  const asked = Array.from({ length: 8 }, () => ask())
  await settle(20)
  const flood = async () => {
    for (let times = 0; times < 20; times += 1) {
      asked.push(ask())
      await settle(5)
    }
  }
  await flood()
  t.is(overloaded, 1, 'the others are not read')
  await ask(other)
  await mesh.time.advance(249)
  t.is(overloaded, 1)
  await mesh.time.advance(1)
  await flood()
  t.ok(overloaded > 1, 'read again')
  await mesh.time.advance(10_000)
  await Promise.all(asked)
  await mesh.time.advanceUntil(ask())
  t.alike([greedy.isOpen, gateway.node.connectionCounts.proved], [true, 2], 'nobody is cut')
})

test('should not wait for held answers when it drains or is closed', async (t) => {
  const service = refusingService()
  const { mesh, gateway, member } = await scene(t, {}, { service })
  const client = await (await member('client')).dial()
  const ask = () => refusalOf(client.call(echo, { text: '' }, mesh.call()))
  for (let asked = 0; asked < 10; asked += 1) await ask()
  let isAnswered = false
  const held = ask().finally(() => {
    isAnswered = true
  })
  await settle(20)
  await service.drain()
  t.absent(isAnswered)
  await gateway.node.close()
  t.is((await held).code, 'PEER_LOST')
  await settle()
  t.is(mesh.time.pending, 0)
})

test('should keep no held answer and no timer when its caller is lost', async (t) => {
  const { mesh, gateway, member } = await scene(t, {}, { service: refusingService() })
  const client = await (await member('client')).dial()
  const ask = () => refusalOf(client.call(echo, { text: '' }, mesh.call()))
  for (let asked = 0; asked < 10; asked += 1) await ask()
  const timers = mesh.time.pending
  const held = [ask(), refusalOf(client.open(count, { to: 1 }, mesh.call()).next())]
  await settle(20)
  t.ok(mesh.time.pending > timers, 'both are held')
  client.destroy()
  t.alike(
    (await Promise.all(held)).map(({ code }) => code),
    ['PEER_LOST', 'PEER_LOST'],
  )
  await until('the end', () => gateway.node.connectionCounts.proved === 0)
  await settle()
  t.is(mesh.time.pending, 0)
})

test('should cut the connection when all that its key has not read is too much together', async (t) => {
  const megabyte = 'x'.repeat(1024 * 1024 - 100)
  const service = new Service().unary(echo, async () => ({ text: megabyte }))
  const { mesh, gateway, member } = await scene(
    t,
    { maxUnsentBytesPerKey: 8 * 1024 * 1024, heartbeatMissedLimit: 1_000 },
    { service },
  )
  const other = await (await member('client')).dial()
  const greedy = await member('client')
  const connections = [await greedy.dial(), await greedy.dial()]
  for (const piped of mesh.network.connections.slice(-2)) Object(piped.initiator).pause()
  const calls: Promise<unknown>[] = []
  for (let round = 0; round < 8; round += 1) {
    for (const connection of connections) {
      calls.push(rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
    }
    await settle(3)
  }
  await until('the end of one of them', () => gateway.node.connectionCounts.proved === 2)
  t.ok((await other.call(echo, { text: '' }, mesh.call())).text.length > 1_000_000)
  for (const connection of connections) connection.destroy()
  await Promise.all(calls)
})

function chunksOfNobody(): AsyncGenerator<{ n: number }, { total: number }, void> {
  throw new Error('There is no such connection')
}
