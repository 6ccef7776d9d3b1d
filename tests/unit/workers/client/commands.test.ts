import { PassThrough } from 'node:stream'
import test, { type Test } from 'brittle'
import { createStubInstance } from 'sinon'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { MeshNetwork } from '../../../../facilities/network/mesh-network.js'
import { Service } from '../../../../facilities/network/service.js'
import { openClientHost } from '../../../../facilities/process/worker-host.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import type { Role } from '../../../../helpers/identity/roles.js'
import { processorProtocol } from '../../../../helpers/protocol/processor-protocol.js'
import { workerProtocol } from '../../../../helpers/protocol/worker-protocol.js'
import { ClientWorker } from '../../../../workers/client/client-worker.js'
import { askOnce, status } from '../../../../workers/client/commands.js'
import { Output } from '../../../../workers/client/output.js'
import { surveyMesh } from '../../../../workers/client/survey.js'
import { connectionTo, PeersStandIn } from '../../../helpers/peers-stand-in.js'
import { settle } from '../../../helpers/until.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

const END = {
  finishReason: 'stop' as const,
  promptTokens: 1,
  completionTokens: 2,
  timings: { promptMs: 0, generationMs: 0 },
  model: 'small',
}

/** What a command works with, and a mesh of which the test says who is there. */
async function scene(t: Test, json = false) {
  const peers = new Map<Role, PeersStandIn>()
  const of = (role: Role) => {
    const known = peers.get(role) ?? new PeersStandIn(role)
    peers.set(role, known)
    return known
  }
  const network = createStubInstance(MeshNetwork)
  network.look.callsFake(async (role) => of(role))
  const result = new PassThrough()
  const clock = new VirtualClock()
  const client = createStubInstance(ClientWorker)
  const host = await openClientHost({ home: await t.tmp(), json })
  const tools = {
    host: { ...host, clock },
    client,
    network,
    output: new Output({ json, result, notices: new PassThrough() }),
    signal: new AbortController().signal,
  }
  return {
    tools,
    client,
    clock,
    of,
    lines: () =>
      String(result.read() ?? '')
        .trimEnd()
        .split('\n'),
  }
}

/** A worker that says who it is. */
function worker(role: Role, load?: { models: string[] }) {
  const service = new Service().unary(workerProtocol.info, async () => ({
    role,
    name: `${role}@here`,
    version: '1.2.3',
    uptimeMs: 61_400,
  }))
  if (load) {
    service.unary(processorProtocol.load, async () => ({
      ...load,
      slots: 4,
      running: 1,
      queued: 2,
    }))
  }
  return connectionTo(service, { caller: 'client', peer: role })
}

test('should say who is there and how busy when it is asked for the status', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('gateway').connect(worker('gateway'))
  of('processor').connect(worker('processor', { models: ['small', 'large'] }))
  of('processor').connect(worker('processor', { models: [] }))
  await status(tools)
  t.alike(lines(), [
    'auth       none found',
    'gateway    gateway@here                   1.2.3, up 61 s',
    'processor  processor@here                 1.2.3, up 61 s, small, large, 1/4 busy, 2 waiting',
    'processor  processor@here                 1.2.3, up 61 s, model not loaded yet, 1/4 busy, 2 waiting',
  ])
})

test('should say the same in JSON when a program asks', async (t) => {
  const { tools, of, lines } = await scene(t, true)
  of('gateway').connect(worker('gateway'))
  await status(tools)
  t.alike(
    lines().map((line) => JSON.parse(line)),
    [
      { type: 'missing', role: 'auth' },
      {
        type: 'worker',
        role: 'gateway',
        name: 'gateway@here',
        info: { role: 'gateway', name: 'gateway@here', version: '1.2.3', uptimeMs: 61_400 },
      },
      { type: 'missing', role: 'processor' },
    ],
  )
})

test('should fail when there is no gateway', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('auth').connect(worker('auth'))
  await t.exception(status(tools), { code: 'GATEWAY_NOT_FOUND' })
  t.is(lines().length, 3, 'and say first who is there')
})

test('should tell of a worker by its error when it does not answer', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('gateway').connect(worker('gateway'))
  const silent = worker('processor')
  silent.call.rejects(new StarlingError('PEER_LOST', 'gone'))
  of('processor').connect(silent)
  await status(tools)
  t.is(lines()[2], 'processor  processor@here                 PEER_LOST')
})

test('should go on with who was found when a survey takes too long', async (t) => {
  const { tools, of, clock } = await scene(t)
  of('gateway').connect(worker('gateway'))
  of('auth').survey = new Promise(() => undefined)
  const options = { clock, random: new SystemRandom(), signal: tools.signal }
  const found = surveyMesh(tools.network, options)
  await settle()
  await clock.advance(3_000)
  t.alike(
    (await found).map(({ role }) => role),
    ['gateway'],
  )
  t.is(clock.pending, 0)
})

test('should stop looking at once when the user cancels', async (t) => {
  const { tools, of, clock } = await scene(t)
  of('auth').survey = new Promise(() => undefined)
  const controller = new AbortController()
  const options = { clock, random: new SystemRandom(), signal: controller.signal }
  const found = surveyMesh(tools.network, options)
  controller.abort(new StarlingError('CANCELLED', 'Cancelled'))
  await t.exception(found, { code: 'CANCELLED' })
})

test('should write the answer as it comes when a question is asked', async (t) => {
  const { tools, client, lines } = await scene(t)
  client.ask.callsFake(async function* () {
    yield { text: 'be', tokenId: 1, index: 0 }
    yield { text: 'cause', tokenId: 2, index: 1 }
    return END
  })
  await askOnce(tools, { model: 'small' }, ['Why?'])
  t.alike(lines(), ['because'])
  t.alike(client.ask.firstCall.args, [
    { messages: [{ role: 'user', content: 'Why?' }], model: 'small' },
    tools.signal,
  ])
})

test('should write each token and the end when a program asks', async (t) => {
  const { tools, client, lines } = await scene(t, true)
  client.ask.callsFake(async function* () {
    yield { text: 'yes', tokenId: 1, index: 0 }
    return END
  })
  await askOnce(tools, {}, ['Why?'])
  t.alike(
    lines().map((line) => JSON.parse(line)),
    [
      { type: 'token', text: 'yes', tokenId: 1, index: 0 },
      { type: 'end', ...END },
    ],
  )
})
