import test from 'brittle'
import {
  isSameState,
  mayBeSameState,
  parseContentLength,
  parseContentRange,
  parseRetryAfter,
  rangeCondition,
  sha256FromEtag,
} from '../../../../helpers/http/http-range.js'

const HASH = 'ab'.repeat(32)

test('should read the part of a file when a server says which it sends', (t) => {
  t.alike(parseContentRange('bytes 100-199/200'), { start: 100, end: 199, totalBytes: 200 })
  t.alike(parseContentRange('bytes 0-0/*'), { start: 0, end: 0, totalBytes: undefined })
  const wrong = [null, '', 'bytes */200', 'bytes 5-4/200', 'bytes 0-200/200', 'items 0-1/2']
  for (const text of [...wrong, 'bytes -1-1/2', 'bytes 1e3-2000/3000', 'bytes 0-1/2,']) {
    t.is(parseContentRange(text), undefined, String(text))
  }
})

test('should read a length when it is a whole number', (t) => {
  t.is(parseContentLength(' 42 '), 42)
  for (const text of [null, '', '-1', '1.5', '1e9', '0x10', '9'.repeat(16)]) {
    t.is(parseContentLength(text), undefined, String(text))
  }
})

test('should depend on a strong ETag, else on the date, when the rest is asked for', (t) => {
  const lastModified = 'Fri, 20 Nov 2026 07:00:00 GMT'
  t.is(rangeCondition({ etag: '"a"', lastModified }), '"a"')
  t.is(rangeCondition({ etag: 'W/"a"', lastModified }), lastModified)
  t.is(rangeCondition({ etag: 'W/"a"', lastModified: null }), undefined)
  t.is(rangeCondition({ etag: null, lastModified: null }), undefined)
})

test('should tell states apart only by what both answers say', (t) => {
  const none = { etag: null, lastModified: null }
  t.ok(mayBeSameState({ etag: '"a"', lastModified: 'x' }, { etag: '"a"', lastModified: 'y' }))
  t.absent(mayBeSameState({ etag: '"a"', lastModified: 'x' }, { etag: '"b"', lastModified: 'x' }))
  t.absent(mayBeSameState({ etag: null, lastModified: 'x' }, { etag: '"b"', lastModified: 'y' }))
  t.ok(mayBeSameState(none, { etag: '"b"', lastModified: 'y' }))
})

test('should take states for the same only when the second answer repeats the first', (t) => {
  const none = { etag: null, lastModified: null }
  t.ok(isSameState({ etag: '"a"', lastModified: 'x' }, { etag: '"a"', lastModified: null }))
  t.ok(isSameState({ etag: null, lastModified: 'x' }, { etag: null, lastModified: 'x' }))
  t.ok(isSameState({ etag: 'W/"a"', lastModified: 'x' }, { etag: 'W/"a"', lastModified: 'x' }))
  t.absent(isSameState({ etag: 'W/"a"', lastModified: 'x' }, { etag: 'W/"b"', lastModified: 'x' }))
  t.absent(isSameState({ etag: '"a"', lastModified: 'x' }, { etag: null, lastModified: 'x' }))
  t.absent(
    isSameState({ etag: 'W/"a"', lastModified: null }, { etag: 'W/"a"', lastModified: null }),
  )
  t.absent(isSameState(none, none))
})

test('should find a hash when an ETag is one', (t) => {
  for (const etag of [HASH, `"${HASH}"`, `W/"${HASH}"`, HASH.toUpperCase()]) {
    t.is(sha256FromEtag(etag), HASH)
  }
  for (const etag of [null, '', `"${HASH}0"`, '"d41d8cd98f00b204e9800998ecf8427e"', `${HASH}-2`]) {
    t.is(sha256FromEtag(etag), undefined, String(etag))
  }
})

test('should read how long to wait when it is in seconds or a date', (t) => {
  const now = Date.UTC(2026, 10, 20)
  t.is(parseRetryAfter('120', now), 120_000)
  t.is(parseRetryAfter(new Date(now + 5000).toUTCString(), now), 5000)
  t.is(parseRetryAfter(new Date(now - 5000).toUTCString(), now), 0)
  for (const text of [null, '', 'soon', '-5']) {
    // A bare negative number is a year to Date.parse, and long past.
    t.ok([undefined, 0].includes(parseRetryAfter(text, now)), String(text))
  }
})
