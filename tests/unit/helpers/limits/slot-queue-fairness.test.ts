import test from 'brittle'
import {
  NORMAL_STARTS_PER_LOW,
  type Priority,
  SlotQueue,
  type SlotQueueOptions,
} from '../../../../helpers/limits/slot-queue.js'
import { settle } from '../../../helpers/until.js'

/** A queue, and actions in it that end when the test ends them. */
function scene(changes: Partial<SlotQueueOptions> = {}) {
  const queue = new SlotQueue({
    slots: 2,
    maxWaiting: 10,
    maxWaitingPerOwner: 10,
    ...changes,
  })
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const run = (
    id: string,
    client = 'ada',
    options: { priority?: Priority; gateway?: string; signal?: AbortSignal } = {},
  ) => {
    const { priority = 'normal', gateway = 'gateway', signal } = options
    const action = async () => {
      started.push(id)
      await new Promise<void>((resolve) => ends.set(id, resolve))
      return id
    }
    return queue.run(action, { priority, owner: [gateway, client], signal })
  }
  const runLow = (id: string, client = 'ada') => run(id, client, { priority: 'low' })
  const end = async (...ids: string[]) => {
    await settle()
    for (const id of ids) {
      ends.get(id)?.()
      await settle()
    }
  }
  /** Ends what runs, the oldest first, until nothing runs. */
  const finish = async () => {
    await settle()
    for (let index = 0; index < started.length; index += 1) await end(started[index] ?? '')
  }
  return { queue, started, run, runLow, end, finish }
}

test('should start the next action when one fails', async (t) => {
  const { queue } = scene({ slots: 1 })
  const request = { owner: ['gateway', 'ada'] }
  const failing = queue.run(() => Promise.reject(new Error('no')), request)
  const next = queue.run(async () => 'yes', request)
  await t.exception(failing, /no/)
  t.is(await next, 'yes')
  t.is(queue.running, 0)
})

test('should serve clients in turn when one of them has many requests', async (t) => {
  const { started, run, finish } = scene({ slots: 1 })
  const all = ['m1', 'm2', 'm3', 'm4'].map((id) => run(id, 'mallory'))
  all.push(run('a1', 'ada'), run('b1', 'bob'), run('a2', 'ada'))
  await finish()
  t.alike(started, ['m1', 'm2', 'a1', 'b1', 'm3', 'a2', 'm4'])
  await Promise.all(all)
})

test('should serve gateways in turn when one of them has many clients', async (t) => {
  const { started, run, finish } = scene({ slots: 1 })
  const all = ['1', '2', '3', '4'].map((id) => run(`m${id}`, id, { gateway: 'rogue' }))
  all.push(run('a1', 'ada'), run('b1', 'bob'))
  await finish()
  t.alike(started, ['m1', 'm2', 'a1', 'm3', 'b1', 'm4'])
  await Promise.all(all)
})

test('should refuse a client that has too many requests queued and accept others', async (t) => {
  const { run, finish } = scene({ slots: 1, maxWaitingPerOwner: 2 })
  const all = ['1', '2', '3'].map((id) => run(id, 'mallory'))
  await t.exception(run('4', 'mallory'), { code: 'OVERLOADED' })
  all.push(run('5', 'ada'))
  await finish()
  t.alike(await Promise.all(all), ['1', '2', '3', '5'])
})

test('should refuse the newest request of the owner with the most when the queue is full', async (t) => {
  const { run, finish } = scene({ slots: 1, maxWaiting: 3 })
  const first = run('1', 'mallory')
  const kept = [run('2', 'mallory'), run('3', 'mallory')]
  const dropped = t.exception(run('4', 'mallory'), { code: 'OVERLOADED' })
  const ada = run('5', 'ada')
  await dropped
  await t.exception(run('6', 'mallory'), { code: 'OVERLOADED' })
  await finish()
  t.alike(await Promise.all([first, ...kept, ada]), ['1', '2', '3', '5'])
})

test('should start requests of normal priority first when both are queued', async (t) => {
  const { started, run, runLow, finish } = scene({ slots: 1, maxWaiting: 20 })
  const all = [run('0')]
  for (const id of ['r1', 'r2']) all.push(runLow(id))
  for (const id of ['l1', 'l2', 'l3']) all.push(run(id))
  await finish()
  t.alike(started, ['0', 'l1', 'l2', 'l3', 'r1', 'r2'])
  await Promise.all(all)
})

test('should leave one slot free for normal priority when there are several slots', async (t) => {
  const { queue, started, run, runLow, finish } = scene({ slots: 3 })
  const all = ['r1', 'r2', 'r3', 'r4'].map((id) => runLow(id))
  t.is(queue.running, 2)
  all.push(run('l1'))
  await settle()
  t.alike(started, ['r1', 'r2', 'l1'], 'at once')
  await finish()
  t.alike(started, ['r1', 'r2', 'l1', 'r3', 'r4'])
  await Promise.all(all)
})

test('should queue requests of normal priority when the queue of low priority is full', async (t) => {
  const { run, runLow, finish } = scene({ slots: 1, maxWaiting: 2 })
  const all = ['r1', 'r2', 'r3'].map((id) => runLow(id))
  await t.exception(runLow('r4'), { code: 'OVERLOADED' })
  all.push(run('l1'), run('l2'))
  await finish()
  t.alike(await Promise.all(all), ['r1', 'r2', 'r3', 'l1', 'l2'])
})

test('should start a request of low priority from time to time when normal ones keep coming', async (t) => {
  const { started, run, runLow, end } = scene({ slots: 1 })
  const all = [run('login 0'), runLow('r1'), runLow('r2')]
  for (let count = 1; !started.includes('r2'); count += 1) {
    all.push(run(`login ${count}`, `client ${count % 3}`))
    await end(started.at(-1) ?? '')
    if (count > 100) throw new Error('low priority is never started')
  }
  const [first, second] = [started.indexOf('r1'), started.indexOf('r2')]
  t.ok(first <= NORMAL_STARTS_PER_LOW + 1, `${first} before the first`)
  t.is(second - first, NORMAL_STARTS_PER_LOW + 1)
  while (started.length < all.length) await end(started.at(-1) ?? '')
  await end(started.at(-1) ?? '')
  await Promise.all(all)
})
