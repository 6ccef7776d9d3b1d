import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { WorkerSupervisor } from '../../../../workers/mesh/worker-supervisor.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { ChildrenStandIn } from '../../../helpers/processes/children-stand-in.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { settle, until } from '../../../helpers/until.js'

async function scene(t: Test, seed = 1) {
  const children = new ChildrenStandIn()
  const clock = new VirtualClock()
  const worker = new WorkerSupervisor({
    name: 'worker',
    script: '/worker.js',
    flags: [],
    environment: {},
    logFile: join(await t.tmp(), 'worker.log'),
    clock,
    random: new SeededRandom(seed),
    fork: children.fork,
  })
  const exits: { how: string; restartInMs: number }[] = []
  worker.on('exit', (how: string, restartInMs: number) => exits.push({ how, restartInMs }))
  let served = 0
  worker.on('serving', () => {
    served += 1
  })
  const serving = worker.serving()
  /** Lets the `count`-th process serve. */
  const serve = async (count: number) => {
    const child = await children.child(count)
    child.say({ kind: 'ready' })
    await until(`start ${count}`, () => served === count)
    return child
  }
  /** Waits for the `count`-th exit, and then for as long as the restart is delayed. */
  const restart = async (count: number) => {
    const { restartInMs } = await until(`exit ${count}`, () => exits[count - 1])
    await clock.advance(restartInMs - 1)
    t.is(children.started.length, count, 'not before the delay is over')
    await clock.advance(1)
    await children.child(count + 1)
    return restartInMs
  }
  return { worker, children, clock, exits, serving, serve, restart }
}

test('should restart a worker after a delay when it ends, and say so when it serves again', async (t) => {
  const { worker, children, serve, serving, restart, exits } = await scene(t)
  const first = await serve(1)
  await serving
  first.exit('SIGKILL')
  await restart(1)
  t.is(exits[0]?.how, 'SIGKILL')
  const second = await serve(2)
  t.is(children.started.length, 2)
  const closed = worker.close()
  second.exit(0)
  await closed
})

/** The delays before the restarts of a worker that ends as soon as it serves. */
async function delaysOf(t: Test, seed: number): Promise<number[]> {
  const { worker, serve, restart } = await scene(t, seed)
  const delays: number[] = []
  for (let count = 1; count <= 10; count += 1) {
    const child = await serve(count)
    child.exit(1)
    delays.push(await restart(count))
  }
  const last = await serve(11)
  const closed = worker.close()
  last.exit(0)
  await closed
  return delays
}

test('should delay each restart longer, up to a limit and with jitter, when a worker keeps ending', async (t) => {
  const [one, other] = [await delaysOf(t, 1), await delaysOf(t, 2)]
  t.unlike(one, other, 'workers that end together do not restart together')
  for (const delays of [one, other]) {
    for (const [index, delayMs] of delays.entries()) {
      const meanMs = Math.min(250 * 2 ** index, 30_000)
      t.ok(delayMs >= 0.75 * meanMs - 1 && delayMs <= 1.25 * meanMs + 1, `${delays}`)
    }
  }
})

test('should reset the restart delay when a worker has served for a minute', async (t) => {
  const { worker, clock, serve, restart } = await scene(t)
  let child = await serve(1)
  for (let count = 1; count <= 4; count += 1) {
    child.exit(1)
    await restart(count)
    child = await serve(count + 1)
  }
  await clock.advance(60_000)
  child.exit(1)
  t.ok((await restart(5)) < 320, 'the first delay')
  const closed = worker.close()
  await settle()
  ;(await serve(6)).exit(0)
  await closed
})

test('should not restart a worker and fail with its error when it has never served', async (t) => {
  const { children, clock, exits, serving } = await scene(t)
  const child = await children.child(1)
  child.say({ kind: 'failed', code: 'HOME_IN_USE', message: 'The home is in use' })
  child.exit(1)
  await t.exception(serving, { code: 'HOME_IN_USE', message: 'worker: The home is in use' })
  await clock.advance(60_000)
  t.is(children.started.length, 1)
  t.alike(exits, [])
})

test('should try again later when a restart fails', async (t) => {
  const { worker, children, serve, restart, exits } = await scene(t)
  ;(await serve(1)).exit(1)
  await restart(1)
  const second = await children.child(2)
  second.say({ kind: 'failed', code: 'DISK_FULL', message: 'The disk is full' })
  second.exit(1)
  await restart(2)
  t.is(exits[1]?.how, 'worker: The disk is full')
  const third = await children.child(3)
  third.say({ kind: 'ready' })
  const closed = worker.close()
  third.exit(0)
  await closed
})

test('should not restart a worker when it is closed during the delay', async (t) => {
  const { worker, children, clock, serve, exits } = await scene(t)
  ;(await serve(1)).exit(1)
  await until('the exit', () => exits[0])
  await worker.close()
  await clock.advance(60_000)
  t.is(children.started.length, 1)
  t.is(clock.pending, 0)
})

test('should stop a worker and not restart it when it is closed', async (t) => {
  const { worker, children, clock, serve, exits } = await scene(t)
  const child = await serve(1)
  const closed = worker.close()
  await settle()
  t.alike(child.signals, ['SIGTERM'])
  child.exit(0)
  await closed
  await clock.advance(60_000)
  t.alike([children.started.length, exits.length], [1, 0])
})
