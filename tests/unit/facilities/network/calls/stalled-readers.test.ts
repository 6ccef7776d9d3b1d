import test, { type Test } from 'brittle'
import { z } from 'zod'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { roles } from '../../../../../helpers/protocol/call-policy.js'
import { stream } from '../../../../../helpers/protocol/method.js'
import {
  idOf,
  openingOf,
  proveByHand,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, sampleLog, sampleService } from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const TIMEOUT_MS = TEST_LIMITS.stalledReaderTimeoutMs

/** The same as `count`, as a gateway asks a processor for it. */
const behind = stream({
  ...count,
  request: z.strictObject({ to: z.number() }),
  name: 'processor.count',
  callers: roles('gateway'),
})

/** A gateway that relays what a processor counts, and a client that asks it. */
async function relayScene(t: Test, timeoutMs: { gateway: number; processor: number }) {
  const mesh = new PipedMesh(t)
  const state = { running: 0 }
  const processor = await mesh.node('processor', {
    service: new Service().stream(behind, async function* ({ to }) {
      state.running += 1
      try {
        for (let n = 0; n < to; n += 1) yield { n }
        return { total: to }
      } finally {
        state.running -= 1
      }
    }),
    limits: { stalledReaderTimeoutMs: timeoutMs.processor },
  })
  const service = new Service()
  const gateway = await mesh.node('gateway', {
    service,
    limits: { stalledReaderTimeoutMs: timeoutMs.gateway },
  })
  const toProcessor = await mesh.dial(gateway, processor)
  service.stream(count, async function* ({ to }, { signal }) {
    return yield* toProcessor.open(behind, { to }, mesh.call({ signal }))
  })
  const client = await mesh.node('client')
  return { mesh, state, connection: await mesh.dial(client, gateway) }
}

/** Reads a stream to its end, and returns the error that it ended with. */
async function endOf(chunks: AsyncGenerator<unknown, unknown, void>) {
  const readOn = async () => {
    for await (const _ of chunks);
  }
  return Object(await rejectionOf(readOn()))
}

test('should end the answer and say why when its reader grants no credit for too long', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const timers = mesh.time.pending
  const chunks = connection.open(count, { to: 1_000 }, mesh.call())
  await chunks.next()
  await settle(20)
  await mesh.time.advance(TIMEOUT_MS - 1)
  t.is(log.running, 1)
  await mesh.time.advance(1)
  await until('the handler to end', () => log.running === 0)
  const error = await endOf(chunks)
  t.is(error.code, 'READER_STALLED')
  t.absent(error.retryable)
  t.is(error.message, 'client@test did not read the answer: the sender waited 3 s for it')
  t.ok(connection.isOpen)
  t.is(mesh.time.pending, timers)
})

test('should end the answer when its reader takes one chunk shortly before each end', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const gateway = await mesh.node('gateway', {
    service: sampleService(log),
    // The hand below sends no heartbeats.
    limits: { heartbeatIntervalMs: 1_000_000 },
  })
  const identity = mesh.authority.identity('client')
  const toGateway = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => toGateway.destroy(), { order: -1 })
  const { mux } = await proveByHand(toGateway, identity)
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1_000 }))
  await settle(10)
  let grants = 0
  for (; grants < 6 && !hand.state.closed; grants += 1) {
    await mesh.time.advance(TIMEOUT_MS - 100)
    hand.messages.credit.send(1)
    await settle(10)
  }
  t.ok(hand.state.closed, `${grants} grants`)
  t.is(Object(hand.heard.at(-1)?.value).code, 'READER_STALLED')
  t.is(log.running, 0)
})

test('should continue when the reader is slow but grants enough credit', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const chunks = connection.open(count, { to: 80 }, mesh.call())
  let read = 0
  for (let step = await chunks.next(); !step.done; step = await chunks.next()) {
    read += 1
    // Half a window is granted at once.
    if (read % 4 === 0) await mesh.time.advance(TIMEOUT_MS / 4)
  }
  t.is(read, 80)
})

test('should name the client when it keeps a processor behind the gateway waiting', async (t) => {
  for (const timeoutMs of [
    { gateway: TIMEOUT_MS, processor: TIMEOUT_MS },
    { gateway: TIMEOUT_MS, processor: TIMEOUT_MS / 3 },
  ]) {
    const { mesh, state, connection } = await relayScene(t, timeoutMs)
    const chunks = connection.open(count, { to: 1_000 }, mesh.call())
    await chunks.next()
    await settle(40)
    await mesh.time.advance(timeoutMs.processor)
    await until('the processor to be free', () => state.running === 0)
    const error = await endOf(chunks)
    t.is(error.code, 'READER_STALLED')
    t.ok(error.message.startsWith('client@test did not read'), error.message)
  }
})
