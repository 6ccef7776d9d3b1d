import test from 'brittle'
import { ReaderPatience } from '../../../../helpers/limits/reader-patience.js'

const create = () => new ReaderPatience({ timeoutMs: 30_000, windowChunks: 60 })

/** For how long in all a reader is waited for that always takes `chunks` after `waitMs`. */
function waitedInAll(chunks: number, waitMs: number): number {
  const patience = create()
  let waitedMs = 0
  while (patience.leftMs > waitMs && waitedMs < 10_000_000) {
    waitedMs += waitMs
    patience.granted(chunks, waitMs)
  }
  return waitedMs + patience.leftMs
}

test('should wait as long as allowed when the reader stays silent', (t) => {
  t.is(create().leftMs, 30_000)
})

test('should give a part of the time back when the reader takes chunks', (t) => {
  const patience = create()
  patience.granted(10, 20_000)
  t.is(patience.leftMs, 15_000)
  patience.granted(60, 0)
  t.is(patience.leftMs, 30_000, 'never more than all of it')
})

test('should soon give a reader up when it takes one chunk shortly before each end', (t) => {
  t.is(waitedInAll(1, 29_000), 30_500)
})

test('should never give a reader up when it takes a window in the time that is allowed', (t) => {
  t.ok(waitedInAll(30, 15_000) > 10_000_000)
  t.ok(waitedInAll(1, 500) > 10_000_000)
})

test('should give a reader up when it is slower than that for long', (t) => {
  const waitedMs = waitedInAll(1, 1_000)
  t.ok(waitedMs > 30_000 && waitedMs < 61_000, `after ${waitedMs} ms`)
})
