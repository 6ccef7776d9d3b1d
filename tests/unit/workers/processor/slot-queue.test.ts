import test from 'brittle'
import { SlotQueue } from '../../../../workers/processor/slot-queue.js'
import { settle } from '../../../helpers/until.js'

const never = new AbortController().signal

/** Requests that come in order; what they hold can be given back. */
function scene(slots: number, maxWaiting: number, answerMs?: number) {
  const queue = new SlotQueue({ slots, maxWaiting, answerMs: () => answerMs })
  const started: string[] = []
  const releases = new Map<string, () => void>()
  const come = async (name: string, signal = never) => {
    const release = await queue.acquire(signal)
    started.push(name)
    releases.set(name, release)
  }
  const leave = async (name: string) => {
    releases.get(name)?.()
    await settle()
  }
  return { queue, started, come, leave }
}

test('should let as many in as there are slots when they come', async (t) => {
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

test('should go by the order in which they came when slots get free', async (t) => {
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

test('should not be overtaken when one comes in the moment a slot gets free', async (t) => {
  const { started, come, leave } = scene(1, 5)
  await come('a')
  void come('b')
  const left = leave('a')
  void come('c')
  await left
  t.alike(started, ['a', 'b'])
})

test('should refuse at once and say when to come back when the line is full', async (t) => {
  const { queue, come, leave } = scene(2, 1, 3_001)
  await come('a')
  await come('b')
  const waiting = come('c')
  await t.exception(come('d'), { code: 'OVERLOADED', retryAfterMs: 1_501, retryable: true })
  t.is(queue.waiting, 1)
  await leave('a')
  await waiting
  t.is(queue.running, 2)
})

test('should refuse without a line when nobody may wait', async (t) => {
  const { come, leave } = scene(1, 0)
  await come('a')
  await t.exception(come('b'), { code: 'OVERLOADED', retryAfterMs: undefined })
  await leave('a')
  await come('c')
})

test('should leave the line with the reason when it is aborted while it waits', async (t) => {
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
