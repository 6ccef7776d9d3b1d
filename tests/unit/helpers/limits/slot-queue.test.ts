import test from 'brittle'
import { SlotQueue } from '../../../../helpers/limits/slot-queue.js'
import { settle } from '../../../helpers/until.js'

const never = new AbortController().signal

/** A queue, and requests that a test starts and ends. */
function scene(slots: number, maxWaiting: number, freeAfterMs?: number) {
  const retryAfterMs = (waiting: number) => freeAfterMs && waiting * freeAfterMs
  const queue = new SlotQueue({ slots, maxWaiting, retryAfterMs })
  const started: string[] = []
  const releases = new Map<string, () => void>()
  const come = async (name: string, signal = never) => {
    const release = await queue.acquire({ signal })
    started.push(name)
    releases.set(name, release)
  }
  const leave = async (name: string) => {
    releases.get(name)?.()
    await settle()
  }
  return { queue, started, come, leave }
}

test('should start as many requests as there are slots', async (t) => {
  const { queue, started, come } = scene(2, 5)
  void come('a')
  void come('b')
  void come('c')
  await settle()
  t.alike(started, ['a', 'b'])
  t.is(queue.slots, 2)
  t.is(queue.running, 2)
  t.is(queue.waiting, 1)
})

test('should start queued requests in their order when slots become free', async (t) => {
  const { queue, started, come, leave } = scene(1, 5)
  for (const name of ['a', 'b', 'c', 'd']) void come(name)
  await settle()
  for (const name of ['a', 'b', 'c']) {
    await leave(name)
    t.is(queue.running, 1)
  }
  t.alike(started, ['a', 'b', 'c', 'd'])
  await leave('d')
  t.is(queue.running, 0)
  t.is(queue.waiting, 0)
})

test('should not start a new request before a queued one when a slot becomes free', async (t) => {
  const { started, come, leave } = scene(1, 5)
  await come('a')
  void come('b')
  const left = leave('a')
  void come('c')
  await left
  t.alike(started, ['a', 'b'])
})

test('should refuse a request and name the time until the next try when the queue is full', async (t) => {
  const { queue, come, leave } = scene(2, 2, 750.25)
  await come('a')
  await come('b')
  const waiting = Promise.all([come('c'), come('d')])
  await t.exception(come('e'), { code: 'OVERLOADED', retryAfterMs: 1_501, retryable: true })
  t.is(queue.waiting, 2)
  await leave('a')
  await leave('b')
  await waiting
  t.is(queue.running, 2)
})

test('should refuse at once when no request may wait', async (t) => {
  const { come, leave } = scene(1, 0)
  await come('a')
  await t.exception(come('b'), { code: 'OVERLOADED', retryAfterMs: undefined })
  await leave('a')
  await come('c')
})

test('should leave the queue with the reason when it is aborted while it waits', async (t) => {
  const { queue, started, come, leave } = scene(1, 2)
  await come('a')
  const controller = new AbortController()
  const second = come('b', controller.signal)
  const third = come('c')
  const reason = new Error('gone')
  controller.abort(reason)
  await t.exception(second, reason)
  t.is(queue.waiting, 1)
  await leave('a')
  await third
  t.alike(started, ['a', 'c'])
  t.is(queue.running, 1)
})

test('should take nothing when it is aborted before it comes', async (t) => {
  const { queue, come } = scene(1, 1)
  await t.exception(come('a', AbortSignal.abort(new Error('gone'))), /gone/)
  t.is(queue.running, 0)
})

test('should keep its slot when it is aborted after it got one', async (t) => {
  const { queue, come, leave } = scene(1, 1)
  const controller = new AbortController()
  await come('a')
  const second = come('b', controller.signal)
  await leave('a')
  await second
  controller.abort(new Error('gone'))
  t.is(queue.running, 1)
  await leave('b')
  t.is(queue.running, 0)
})

test('should free one slot when it is given back twice', async (t) => {
  const { queue, started, come, leave } = scene(1, 5)
  await come('a')
  void come('b')
  void come('c')
  await leave('a')
  await leave('a')
  t.alike(started, ['a', 'b'])
  await leave('b')
  await leave('c')
  await leave('c')
  t.is(queue.running, 0)
})

test('should refuse queued and further requests when it is closed', async (t) => {
  const { queue, come, leave } = scene(1, 5)
  await come('a')
  const closed = new Error('closed')
  const refused = [t.exception(come('b'), closed), t.exception(come('c'), closed)]
  queue.close(closed)
  await Promise.all(refused)
  await t.exception(come('d'), closed)
  t.alike([queue.running, queue.waiting], [1, 0])
  await leave('a')
  t.is(queue.running, 0)
})
