import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import type { Role } from '../../../../helpers/identity/roles.js'
import {
  type ProcessorLoad,
  processorProtocol,
} from '../../../../helpers/protocol/processor-protocol.js'
import { type WorkerInfo, workerProtocol } from '../../../../helpers/protocol/worker-protocol.js'
import { readMeshStatus } from '../../../../workers/client/mesh-status.js'
import { status } from '../../../../workers/client/status.js'
import { connectionTo } from '../../../helpers/network/peers-stand-in.js'
import { settle } from '../../../helpers/until.js'
import { clientScene as scene } from '../../../helpers/workers/client-scene.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

const KEY = new Uint8Array(32).fill(0xab)

/** A worker that says who it is. */
function worker(role: Role, load?: ProcessorLoad, problems?: WorkerInfo['problems']) {
  const service = new Service().unary(workerProtocol.info, async () => ({
    role,
    name: `${role}@here`,
    version: '1.2.3',
    uptimeMs: 61_400,
    ...(problems && { problems }),
  }))
  if (load) {
    service.unary(processorProtocol.load, async () => load)
  }
  return connectionTo(service, { caller: 'client', peer: role })
}

test('should show the workers and their load when the status is requested', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('auth').connect(worker('auth'))
  of('gateway').connect(worker('gateway'))
  of('processor').connect(
    worker('processor', {
      models: [
        offeredModel('small', { running: 1, queued: 2 }),
        offeredModel('large', { isLoaded: false }),
        offeredModel('far', { hindrance: 'failure' }),
      ],
    }),
  )
  of('processor').connect(worker('processor', { models: [] }))
  await status(tools)
  const { mesh } = tools.host.identity
  t.alike(lines(), [
    `mesh       ${mesh.slice(0, 12)}, home ${tools.host.home.directory}, ` +
      'bootstrap 127.0.0.1:28737 answers',
    'auth       auth@here                      1.2.3, up 61 s',
    'gateway    gateway@here                   1.2.3, up 61 s',
    'processor  processor@here                 1.2.3, up 61 s, ' +
      'small, 1/4 busy, 2 waiting; large, loaded on demand; far, not available',
    'processor  processor@here                 1.2.3, up 61 s, model not loaded yet',
  ])
})

test('should say the same in JSON when a program asks', async (t) => {
  const { tools, of, objects } = await scene(t, { json: true })
  of('gateway').connect(worker('gateway'))
  of('processor').missed = [{ publicKey: KEY, code: 'CERTIFICATE_EXPIRED' }]
  await status(tools)
  t.alike(objects(), [
    {
      type: 'mesh',
      mesh: tools.host.identity.mesh,
      home: tools.host.home.directory,
      bootstrap: { address: '127.0.0.1:28737', isReachable: true },
    },
    {
      type: 'missing',
      role: 'auth',
      reason: 'notAnnounced',
      whatToDo: `node workers/auth.js --home ${tools.host.home.directory}`,
    },
    {
      type: 'worker',
      role: 'gateway',
      name: 'gateway@here',
      info: { role: 'gateway', name: 'gateway@here', version: '1.2.3', uptimeMs: 61_400 },
    },
    { type: 'unreached', role: 'processor', key: 'abababababab', code: 'CERTIFICATE_EXPIRED' },
    {
      type: 'missing',
      role: 'processor',
      reason: 'unreachable',
      whatToDo: `node workers/processor.js --home ${tools.host.home.directory}`,
    },
  ])
})

test('should say why no worker was found, as far as it is known', async (t) => {
  const { tools, of, network, lines } = await scene(t)
  const home = tools.host.home.directory
  of('gateway').connect(worker('gateway'))
  of('processor').missed = [
    { publicKey: KEY, code: 'PEER_UNREACHABLE' },
    { publicKey: KEY, code: null },
  ]
  await status(tools)
  t.alike(lines().slice(1), [
    'auth       none found: no such worker has announced itself in this mesh; ' +
      `start one: node workers/auth.js --home ${home}`,
    'gateway    gateway@here                   1.2.3, up 61 s',
    'processor  key abababababab               has announced itself but could not be reached: PEER_UNREACHABLE',
    'processor  key abababababab               has announced itself but does not answer',
    'processor  none found: the announced workers could not be reached; ' +
      `start one: node workers/processor.js --home ${home}`,
  ])

  network.pingBootstrap.resolves({ address: '127.0.0.1:28737', isReachable: false })
  await status(tools)
  t.ok(lines()[6]?.endsWith('bootstrap 127.0.0.1:28737 does not answer'))
  t.is(
    lines()[7],
    'auth       none found: no worker of this machine holds 127.0.0.1:28737, ' +
      `through which workers find each other; start one: node workers/auth.js --home ${home}`,
  )
})

test('should say that workers are on the roster when none of them is announced', async (t) => {
  const { tools, of, network, lines } = await scene(t)
  of('gateway').connect(worker('gateway'))
  network.listed.withArgs('auth').returns(1)
  await status(tools)
  const home = tools.host.home.directory
  t.is(
    lines()[1],
    'auth       none found: the roster lists 1, but the node at 127.0.0.1:28737 knows none of them; ' +
      `start one: node workers/auth.js --home ${home}`,
  )
})

test('should fail when there is no gateway', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('auth').connect(worker('auth'))
  await t.exception(status(tools), { code: 'GATEWAY_NOT_FOUND' })
  t.is(lines().length, 4, 'and say first who is there')
})

test('should show the error of a worker when it does not answer', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('gateway').connect(worker('gateway'))
  const silent = worker('processor')
  silent.call.rejects(new StarlingError('PEER_LOST', 'gone'))
  of('processor').connect(silent)
  await status(tools)
  t.is(lines()[3], 'processor  processor@here                 PEER_LOST')
})

test('should continue with the workers that were found when a survey takes too long', async (t) => {
  const { tools, of, clock } = await scene(t)
  of('gateway').connect(worker('gateway'))
  of('auth').survey = new Promise(() => undefined)
  const options = { clock, random: new SystemRandom(), signal: tools.signal }
  const found = readMeshStatus(tools.network, options)
  await settle()
  t.is(clock.pending, 1, 'nobody else is waited for')
  await clock.advance(3_000)
  t.alike(
    (await found).workers.map(({ role }) => role),
    ['gateway'],
  )
  t.is(clock.pending, 0)
})

test('should stop looking at once when the user cancels', async (t) => {
  const { tools, of, clock } = await scene(t)
  of('auth').survey = new Promise(() => undefined)
  const controller = new AbortController()
  const options = { clock, random: new SystemRandom(), signal: controller.signal }
  const found = readMeshStatus(tools.network, options)
  controller.abort(new StarlingError('CANCELLED', 'Cancelled'))
  await t.exception(found, { code: 'CANCELLED' })
})

test('should say what keeps a worker from its work', async (t) => {
  const { tools, of, lines } = await scene(t)
  of('auth').connect(
    worker('auth', undefined, [
      { code: 'DISK_FULL', message: 'The disk of the worker is full', blocks: true },
    ]),
  )
  of('gateway').connect(
    worker('gateway', undefined, [
      { code: 'AUTH_UNAVAILABLE', message: 'No auth worker is connected', blocks: false },
    ]),
  )
  await status(tools)
  t.alike(lines().slice(1, 3), [
    'auth       auth@here                      1.2.3, up 61 s; ' +
      'not ready: The disk of the worker is full (DISK_FULL)',
    'gateway    gateway@here                   1.2.3, up 61 s; ' +
      'degraded: No auth worker is connected (AUTH_UNAVAILABLE)',
  ])
})

test('should show a worker on one line whatever it says of itself', async (t) => {
  const { tools, of, lines } = await scene(t)
  const evil = 'x\n\u001b[2J\u202e'
  const service = new Service()
    .unary(workerProtocol.info, async () => ({
      role: 'gateway' as const,
      name: evil,
      version: evil,
      uptimeMs: 1,
      problems: [{ code: 'DISK_FULL' as const, message: evil, blocks: true }],
    }))
    .unary(processorProtocol.load, async () => ({ models: [offeredModel(evil)] }))
  of('gateway').connect(connectionTo(service, { caller: 'client', peer: 'gateway' }))
  of('processor').connect(connectionTo(service, { caller: 'client', peer: 'processor' }))
  await status(tools)
  t.is(lines().length, 4, 'the mesh, and one line for each role')
  t.absent(lines().some((line) => /[\p{Cc}\u202e]/u.test(line)))
})
