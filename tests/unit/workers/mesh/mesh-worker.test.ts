import test, { type Test } from 'brittle'
import { MeshWorker } from '../../../../workers/mesh/mesh-worker.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { ChildrenStandIn } from '../../../helpers/processes/children-stand-in.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { settle, until } from '../../../helpers/until.js'

async function scene(t: Test) {
  const children = new ChildrenStandIn()
  const directory = await t.tmp()
  const mesh = new MeshWorker({
    plan: ['auth', 'gateway'].map((name) => ({
      name,
      script: `/${name}.js`,
      flags: [],
      environment: {},
    })),
    logFileOf: (name) => `${directory}/${name}.log`,
    drainTimeoutMs: 1_000,
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    fork: children.fork,
  })
  const events: unknown[][] = []
  for (const name of ['progress', 'notice', 'serving', 'exit']) {
    mesh.on(name, (...event: unknown[]) => events.push([name, ...event]))
  }
  const serving = mesh.serving()
  await mesh.ready()
  const child = (name: string) =>
    until(name, () => children.started.find(({ forked }) => forked?.modulePath === `/${name}.js`))
  return { mesh, serving, events, auth: await child('auth'), gateway: await child('gateway') }
}

test('should start all workers at once, serve when all of them do, and stop all of them', async (t) => {
  const { mesh, serving, events, auth, gateway } = await scene(t)
  let isServing = false
  void serving.then(() => {
    isServing = true
  })
  gateway.say({ kind: 'progress', activity: 'waiting', fraction: 0 })
  gateway.say({ kind: 'notice', text: 'text' })
  gateway.say({ kind: 'ready' })
  await settle()
  t.absent(isServing)
  auth.say({ kind: 'ready' })
  await serving
  await settle()
  t.alike(events, [
    ['progress', 'gateway', 'waiting', 0],
    ['notice', 'gateway', 'text'],
    ['serving', 'gateway'],
    ['serving', 'auth'],
  ])
  const closed = mesh.close()
  await settle()
  t.alike([auth.signals, gateway.signals], [['SIGTERM'], ['SIGTERM']])
  auth.exit(0)
  gateway.exit(0)
  await closed
  t.is(events.length, 4, 'an expected end is not reported')
})

test('should fail with the error of the first worker that cannot start', async (t) => {
  const { mesh, serving, auth, gateway } = await scene(t)
  gateway.say({ kind: 'failed', code: 'BOOTSTRAP_UNAVAILABLE', message: 'The port is in use' })
  gateway.exit(1)
  await t.exception(serving, {
    code: 'BOOTSTRAP_UNAVAILABLE',
    message: 'gateway: The port is in use',
  })
  const closed = mesh.close()
  auth.exit(0)
  await closed
})

test('should name the worker that exited unexpectedly', async (t) => {
  const { mesh, serving, events, auth, gateway } = await scene(t)
  auth.say({ kind: 'ready' })
  gateway.say({ kind: 'ready' })
  await serving
  await settle()
  auth.exit('SIGKILL')
  await settle()
  const [name, worker, how, restartInMs] = events.at(-1) ?? []
  t.alike([name, worker, how, typeof restartInMs], ['exit', 'auth', 'SIGKILL', 'number'])
  const closed = mesh.close()
  gateway.exit(0)
  await closed
})
