import test from 'brittle'
import { untilFirstChunk } from '../../../../../facilities/network/calls/first-chunk.js'
import { readAll } from '../../../../helpers/network/call-service.js'
import { rejectionOf } from '../../../../helpers/until.js'

/** Counts up to a number and notes whether it was closed. */
async function* numbers(
  to: number,
  log: { isClosed: boolean },
): AsyncGenerator<number, string, void> {
  try {
    for (let n = 1; n <= to; n += 1) yield n
    return 'end'
  } finally {
    log.isClosed = true
  }
}

test('should pass on all chunks and the end, the first one changed, when the stream is read', async (t) => {
  const log = { isClosed: false }
  const whole = await readAll(await untilFirstChunk(numbers(3, log), (n) => n * 10))
  t.alike(whole, { chunks: [10, 2, 3], end: 'end' })
  t.alike(await readAll(await untilFirstChunk(numbers(0, log))), { chunks: [], end: 'end' })
})

test('should reject when the stream fails before its first chunk', async (t) => {
  const failure = new Error('too early')
  const failing = (async function* (): AsyncGenerator<number, void, void> {
    yield await Promise.reject(failure)
  })()
  t.is(await rejectionOf(untilFirstChunk(failing)), failure)
})

test('should close the stream when its reader leaves after the first chunk', async (t) => {
  const log = { isClosed: false }
  for await (const n of await untilFirstChunk(numbers(3, log))) {
    t.is(n, 1)
    t.absent(log.isClosed)
    break
  }
  t.ok(log.isClosed)
})
