import test from 'brittle'
import {
  PendingCalls,
  TokenQueue,
} from '../../../../../facilities/engine/llama/pending-requests.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'

const RESULT = { method: 'detokenize', text: 'x' } as const
const unexpected = () => {
  throw new Error('not to be called')
}

test('should give each call its own result', async (t) => {
  const calls = new PendingCalls()
  const [one, other] = [
    calls.result(1, undefined, unexpected),
    calls.result(2, undefined, unexpected),
  ]
  calls.resolve(2, { ...RESULT, text: 'other' })
  calls.resolve(1, RESULT)
  calls.resolve(3, RESULT)
  t.alike([await one, await other], [RESULT, { ...RESULT, text: 'other' }])
})

test('should fail a call with the reason of its signal, and say so once', async (t) => {
  const calls = new PendingCalls()
  const controller = new AbortController()
  let aborted = 0
  const call = calls.result(1, controller.signal, () => {
    aborted += 1
  })
  controller.abort(new StarlingError('CANCELLED', 'enough'))
  await t.exception(call, { code: 'CANCELLED' })
  t.is(aborted, 1)
})

test('should not hear the signal any more when the result was there first', async (t) => {
  const calls = new PendingCalls()
  const controller = new AbortController()
  const call = calls.result(1, controller.signal, unexpected)
  calls.resolve(1, RESULT)
  t.alike(await call, RESULT)
  controller.abort()
})

test('should fail all when nobody is left to answer', async (t) => {
  const calls = new PendingCalls()
  const both = [calls.result(1, undefined, unexpected), calls.result(2, undefined, unexpected)]
  calls.failAll(new StarlingError('ENGINE_CRASHED', 'gone'))
  for (const call of both) await t.exception(call, { code: 'ENGINE_CRASHED' })
})

const token = (index: number) => ({ text: 'x', tokenId: 1, index })

test('should give tokens in order, whether they have arrived or are waited for', async (t) => {
  const queue = new TokenQueue()
  t.is(queue.poll(), undefined)
  const first = queue.take()
  for (let index = 0; index < 4; index += 1) queue.put(token(index))
  t.alike(
    [await first, queue.poll(), await queue.take(), queue.poll(), queue.poll()],
    [...[token(0), token(1), token(2), token(3)], undefined],
  )
})

test('should fail its reader and drop what was not read when a generation fails', async (t) => {
  const failure = { code: 'ENGINE_CRASHED', message: 'gone' }
  const waited = new TokenQueue()
  const taken = waited.take()
  waited.fail(new StarlingError('ENGINE_CRASHED', 'gone'))
  waited.fail(new StarlingError('DRAINING', 'later'))
  await t.exception(taken, failure)
  const unread = new TokenQueue()
  unread.put(token(0))
  unread.fail(new StarlingError('ENGINE_CRASHED', 'gone'))
  t.is(unread.poll(), undefined)
  await t.exception(unread.take(), failure)
})
