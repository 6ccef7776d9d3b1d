import test from 'brittle'
import { Deadline } from '../../../../facilities/clock/deadline.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { rejectionOf } from '../../../helpers/until.js'

test('should abort with DEADLINE_EXCEEDED when the time is over and not before', async (t) => {
  const clock = new VirtualClock()
  const deadline = new Deadline(clock, 100)
  await clock.advance(99)
  t.absent(deadline.signal.aborted)
  t.is(deadline.remainingMs(), 1)
  await clock.advance(1)
  t.is(deadline.signal.reason.code, 'DEADLINE_EXCEEDED')
  await clock.advance(50)
  t.is(deadline.remainingMs(), 0)
})

test('should abort with the reason of its parent when that is aborted first', async (t) => {
  const parent = new AbortController()
  const deadline = new Deadline(new VirtualClock(), 100, parent.signal)
  const reason = new Error('the user left')
  parent.abort(reason)
  t.is(deadline.signal.reason, reason)
})

test('should be aborted from the start when its parent is', (t) => {
  const reason = new Error('too late')
  const deadline = new Deadline(new VirtualClock(), 100, AbortSignal.abort(reason))
  t.is(deadline.signal.reason, reason)
})

test('should leave no timer and not hear its parent any more when it was disposed of', async (t) => {
  const clock = new VirtualClock()
  const parent = new AbortController()
  const deadline = new Deadline(clock, 100, parent.signal)
  deadline.dispose()
  t.is(clock.pending, 0)
  parent.abort()
  await clock.advance(1_000)
  t.absent(deadline.signal.aborted)
})

test('should give the outcome of the promise when it comes before the deadline', async (t) => {
  const clock = new VirtualClock()
  const deadline = new Deadline(clock, 100)
  t.is(await deadline.race(Promise.resolve(1)), 1)
  const failure = new Error('its own')
  t.is(await rejectionOf(deadline.race(Promise.reject(failure))), failure)
  const pending = rejectionOf(deadline.race(new Promise(() => {})))
  await clock.advance(100)
  t.is(Object(await pending).code, 'DEADLINE_EXCEEDED')
})

test('should reject with the reason of its parent when it raced then or races later', async (t) => {
  const parent = new AbortController()
  const deadline = new Deadline(new VirtualClock(), 100, parent.signal)
  const pending = rejectionOf(deadline.race(new Promise(() => {})))
  const reason = new Error('enough')
  parent.abort(reason)
  t.is(await pending, reason)
  t.is(await rejectionOf(deadline.race(Promise.reject(new Error('heard by nobody')))), reason)
  t.is(deadline.signal.reason, reason, 'a signal that is asked for late is aborted too')
})

test('should keep the first reason when the deadline passes after its parent was aborted', async (t) => {
  const clock = new VirtualClock()
  const parent = new AbortController()
  const deadline = new Deadline(clock, 100, parent.signal)
  const { signal } = deadline
  const reason = new Error('first')
  parent.abort(reason)
  await clock.advance(100)
  t.is(signal.reason, reason)
})
