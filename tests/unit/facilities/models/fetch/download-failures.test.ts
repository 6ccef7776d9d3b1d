import test from 'brittle'
import {
  MAX_FETCH_FAILURES,
  MAX_FETCHED_BYTES,
} from '../../../../../facilities/models/fetch/download.js'
import type { ModelProgress } from '../../../../../facilities/models/model-progress.js'
import {
  CONTENT,
  DownloadScene,
  ETAG,
  genuine,
  JOURNAL,
  OTHER_CONTENT,
  PARTIAL,
  sha256,
  starts,
} from '../../../../helpers/models/download-scene.js'
import {
  type Answering,
  ScriptedFetch,
  serving,
  status,
  unreachable,
} from '../../../../helpers/models/scripted-fetch.js'
import { rejectionOf, until } from '../../../../helpers/until.js'

test('should keep nothing when the file is not the one that was asked for', async (t) => {
  for (const expectedSha256 of [sha256(OTHER_CONTENT), undefined]) {
    const at = new DownloadScene()
    const content = expectedSha256 === undefined ? Buffer.from('<html>moved</html>') : CONTENT
    const server = new ScriptedFetch(serving({ content, headers: ETAG }))
    const running = at.download(server, { expectedSha256 })
    await t.exception(running, { code: 'MODEL_INVALID' })
    await t.exception(
      running,
      expectedSha256 === undefined ? /not a GGUF/ : new RegExp(expectedSha256),
    )
    t.alike(at.storage.names(), [])
    t.is(server.requests.length, 1)
  }
  for (const content of [Buffer.from('GG'), Buffer.alloc(0)]) {
    const at = new DownloadScene()
    const running = at.download(new ScriptedFetch(serving({ content })))
    await t.exception(running, { code: 'MODEL_INVALID' })
    t.alike(at.storage.names(), [])
  }
})

test('should not store what is no model when only its first bytes are there', async (t) => {
  const at = new DownloadScene()
  const content = Buffer.alloc(100_000, '<html>')
  const server = new ScriptedFetch(serving({ content, headers: ETAG, stallsAfter: 1_000 }))
  await t.exception(at.download(server), { code: 'MODEL_INVALID' })
  t.alike(at.storage.names(), [])
})

test('should try again with growing waits and then give up when a server cannot be reached', async (t) => {
  const at = new DownloadScene()
  const asked: number[] = []
  const server = new ScriptedFetch((request) => {
    asked.push(at.clock.monotonic())
    return unreachable(request)
  })
  const running = at.download(server)
  await t.exception(running, { code: 'MODEL_UNREACHABLE' })
  await t.exception(
    running,
    /x cannot be fetched: https:\/\/example\.com\/models\/x\.gguf cannot be reached: connect ECONNREFUSED/,
  )
  t.absent(String(await rejectionOf(running)).includes('secret'))
  t.is(asked.length, MAX_FETCH_FAILURES)
  const waits = asked.slice(1).map((time, index) => time - (asked[index] ?? 0))
  for (const [index, wait] of waits.entries()) {
    const middle = 500 * 2 ** index
    t.ok(wait >= middle * 0.75 - 10 && wait <= middle * 1.25 + 10, `${wait} ms`)
  }
})

test('should say how much was downloaded when it gives up', async (t) => {
  const at = new DownloadScene()
  const server = new ScriptedFetch(genuine({ breaksAfter: 4_000 }), status(503))
  await t.exception(at.download(server), /HTTP 503; 1 MB of 1 MB are kept/)
})

test('should not count failures when much was gained between them', async (t) => {
  const at = new DownloadScene()
  const content = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(7 * 1024 * 1024)])
  const breaksAfter = 1024 * 1024
  const server = new ScriptedFetch(serving({ content, headers: ETAG, breaksAfter }))
  t.is((await at.download(server)).sha256, sha256(content))
  t.is(server.requests.length, 8)
})

test('should give up when a server begins anew again and again', async (t) => {
  const at = new DownloadScene()
  const content = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(3 * 1024 * 1024)])
  const file = { content, ignoresRange: true }
  const late = serving({ ...file, breaksAfter: 2 * 1024 * 1024 })
  const early = serving({ ...file, breaksAfter: 100_000 })
  const server = new ScriptedFetch(late, early, late, early, late, early, late, early)
  await t.exception(at.download(server), { code: 'MODEL_UNREACHABLE' })
  t.is(server.requests.length, MAX_FETCH_FAILURES)
})

test('should wait as long as a server asks for and never less, up to half a minute', async (t) => {
  for (const [retryAfter, least, most] of [
    ['7', 7_000, 8_760],
    ['86400', 30_000, 37_510],
  ] as const) {
    const at = new DownloadScene()
    const server = new ScriptedFetch(
      status(429, { 'retry-after': retryAfter }),
      serving({ content: CONTENT }),
    )
    await at.download(server)
    const waited = at.clock.monotonic()
    t.ok(waited >= least && waited <= most, `${waited} ms`)
  }
})

test('should not ask again when a server refuses', async (t) => {
  for (const [code, why] of [
    [401, /a token may be needed/],
    [403, /a token may be needed/],
    [404, /was not found/],
    [410, /was not found/],
    [400, /answers with HTTP 400/],
    [204, /answers with HTTP 204/],
  ] as const) {
    const server = new ScriptedFetch(status(code))
    const running = new DownloadScene().download(server)
    await t.exception(running, { code: 'MODEL_NOT_FOUND' })
    await t.exception(running, why)
    t.is(server.requests.length, 1)
  }
})

test('should break off and try again when nothing comes any more', async (t) => {
  const at = new DownloadScene()
  const never: Answering = () => new Promise(() => undefined)
  const server = new ScriptedFetch(never, genuine({ stallsAfter: 3_000 }), genuine())
  t.is((await at.download(server)).sha256, sha256(CONTENT))
  t.alike(starts(server), [0, 0, 3_000])
  t.ok(at.notes.some((note) => note.includes('nothing arrived for 30 s')))
  t.ok(at.clock.monotonic() >= 60_000)
  t.is(at.clock.pending, 0)
})

test('should write nothing and say how much space is missing when the disk is too small', async (t) => {
  const at = new DownloadScene()
  at.storage.free = 1_000_000
  const content = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(3_000_000)])
  const running = at.download(new ScriptedFetch(serving({ content })))
  await t.exception(running, { code: 'MODEL_WRITE_FAILED' })
  await t.exception(running, /x needs 4 MB, but memory has only 1 MB free: 3 MB are missing/)
  t.alike(at.storage.names(), [])
})

test('should keep what was fetched when the disk is full in the end', async (t) => {
  const at = new DownloadScene()
  at.storage.fullAtByte = 5_000
  const server = new ScriptedFetch(genuine())
  const running = at.download(server)
  await t.exception(running, { code: 'MODEL_WRITE_FAILED' })
  await t.exception(running, /x cannot be written to memory \(1 MB\): ENOSPC/)
  t.alike(at.storage.names(), [PARTIAL, JOURNAL])
  at.storage.fullAtByte = Infinity
  t.is((await at.download(server)).sha256, sha256(CONTENT))
  t.alike(starts(server), [0, 4_000])
})

test('should refuse a file that is larger than any model', async (t) => {
  const headers = { 'content-length': String(MAX_FETCHED_BYTES + 1) }
  const server = new ScriptedFetch(() => new Response('GGUF', { headers }))
  await t.exception(new DownloadScene().download(server), { code: 'MODEL_INVALID' })
})

test('should not take more than a server named', async (t) => {
  const at = new DownloadScene()
  const headers = { ...ETAG, 'content-length': '5000' }
  const server = new ScriptedFetch(() => new Response(CONTENT, { headers }))
  await t.exception(at.download(server), /sends more than the announced 5000 bytes/)
})

test('should refuse a compressed answer', async (t) => {
  const headers = { 'content-encoding': 'gzip' }
  const server = new ScriptedFetch(() => new Response(CONTENT, { headers }))
  await t.exception(new DownloadScene().download(server), { code: 'MODEL_INVALID' })
})

test('should throw CANCELLED and keep what was fetched when the signal is aborted', async (t) => {
  const cases: [what: string, ...answers: Answering[]][] = [
    ['while it is fetched', genuine()],
    ['while nothing comes', genuine({ stallsAfter: 4_000 })],
    ['before it is tried again', genuine({ breaksAfter: 4_000 }), unreachable],
  ]
  for (const [what, ...answers] of cases) {
    const at = new DownloadScene()
    const controller = new AbortController()
    const server = new ScriptedFetch(...answers)
    const stalls = what === 'while nothing comes'
    const onProgress = ({ note }: ModelProgress) => {
      if (!stalls && (note !== undefined || answers.length === 1)) controller.abort()
    }
    const running = at.download(server, { onProgress, signal: controller.signal })
    if (stalls) {
      await until('the bytes that come', () => at.storage.content(PARTIAL)?.length === 4_000)
      controller.abort()
    }
    await t.exception(running, { code: 'CANCELLED' }, what)
    t.alike(at.storage.names(), [PARTIAL, JOURNAL], what)
    t.is(at.clock.pending, 0, what)
  }
})
