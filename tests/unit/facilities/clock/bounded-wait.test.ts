import test from 'brittle'
import { endedWithin, unlessAborted } from '../../../../facilities/clock/bounded-wait.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { rejectionOf } from '../../../helpers/until.js'

test('should settle as the promise does when the signal is not aborted', async (t) => {
  const { signal } = new AbortController()
  const failure = new Error('its own')
  for (const given of [signal, undefined]) {
    t.is(await unlessAborted(Promise.resolve(1), given), 1)
    t.is(await rejectionOf(unlessAborted(Promise.reject(failure), given)), failure)
  }
})

test('should reject with the reason when the signal is aborted before the promise settles', async (t) => {
  const cancel = new AbortController()
  const reason = new Error('enough')
  const pending = rejectionOf(unlessAborted(new Promise(() => {}), cancel.signal))
  cancel.abort(reason)
  t.is(await pending, reason)
  const failing = Promise.reject(new Error('ignored'))
  t.is(await rejectionOf(unlessAborted(failing, cancel.signal)), reason, 'aborted before the wait')
})

test('should reject with the error that is made from the reason when one is given', async (t) => {
  const pending = unlessAborted(
    new Promise(() => {}),
    AbortSignal.abort('why'),
    (cause) => new Error('cancelled', { cause }),
  )
  t.is(Object(await rejectionOf(pending)).cause, 'why')
})

test('should resolve when the work has ended, well or badly, and leave no timer', async (t) => {
  const clock = new VirtualClock()
  await endedWithin(250, Promise.resolve(), clock)
  await endedWithin(250, Promise.reject(new Error('ignored')), clock)
  t.is(clock.pending, 0)
})

test('should resolve after the timeout when the work does not end', async (t) => {
  const clock = new VirtualClock()
  let isOver = false
  const waiting = endedWithin(250, new Promise(() => {}), clock).then(() => {
    isOver = true
  })
  await clock.advance(249)
  t.absent(isOver)
  await clock.advance(1)
  await waiting
})
