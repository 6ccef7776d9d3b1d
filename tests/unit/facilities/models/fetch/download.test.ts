import test from 'brittle'
import {
  broken,
  CONTENT,
  DownloadScene,
  ETAG,
  FILE,
  genuine,
  JOURNAL,
  MODEL_URL,
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

test('should store exactly the file when a server sends it', async (t) => {
  const at = new DownloadScene()
  const server = new ScriptedFetch(genuine())
  const expected = { sizeBytes: CONTENT.length, sha256: sha256(CONTENT) }
  t.alike(await at.download(server), expected)
  t.ok(at.storage.content(FILE)?.equals(CONTENT))
  t.alike(at.storage.names(), [FILE])
  t.ok(at.storage.synced.includes(`${FILE}.partial`), 'it is on the disk before it has its name')
  t.is(server.requests[0]?.url, MODEL_URL)
  t.is(server.requests[0]?.headers['accept-encoding'], 'identity')
  t.absent(server.requests[0]?.headers.range)
  t.absent(server.requests[0]?.headers.authorization)
  const fractions = at.progress.map(({ fraction }) => fraction)
  t.alike(fractions, [...fractions].sort())
  t.is(fractions.at(-1), 1)
  t.ok(at.progress.every(({ phase }) => phase === 'fetching'))
  t.is(at.progress.length, 2, 'not one for each piece: no time has passed')
})

test('should ask for the rest alone when a connection breaks off', async (t) => {
  const at = new DownloadScene()
  const breaking = genuine({ breaksAfter: 3_000 })
  const server = new ScriptedFetch(breaking, breaking, genuine())
  t.is((await at.download(server)).sha256, sha256(CONTENT))
  t.alike(starts(server), [0, 3_000, 6_000])
  t.is(server.requests[1]?.headers['if-range'], '"one"')
  t.ok(at.storage.content(FILE)?.equals(CONTENT))
  t.ok(at.notes.some((note) => note.includes('other side closed; trying again')))
})

test('should resume the download of another process when the file has not changed', async (t) => {
  const at = new DownloadScene()
  await t.exception(at.download(broken()), { code: 'MODEL_UNREACHABLE' })
  t.alike(at.storage.names(), [PARTIAL, JOURNAL])
  const server = new ScriptedFetch(genuine())
  at.progress.length = 0
  t.is((await at.download(server)).sha256, sha256(CONTENT))
  t.alike(starts(server), [4_000])
  t.alike(at.storage.names(), [FILE])
  t.is(at.progress[0]?.phase, 'verifying', 'what is there is hashed first')
})

test('should keep no address in the journal when it may hold a signature', async (t) => {
  const at = new DownloadScene()
  await t.exception(at.download(broken()), { code: 'MODEL_UNREACHABLE' })
  const journal = String(at.storage.content(JOURNAL))
  t.ok(journal.includes('"totalBytes": 10000'))
  t.absent(journal.includes('secret'))
})

test('should keep only what was surely written when nothing else would notice a lost end', async (t) => {
  for (const expectedSha256 of [undefined, sha256(CONTENT)]) {
    const at = new DownloadScene()
    await t.exception(at.download(broken()), { code: 'MODEL_UNREACHABLE' })
    // As after a power cut: the file is longer than what was synced.
    const journal = String(at.storage.content(JOURNAL))
    await at.storage.put(JOURNAL, journal.replace('"durableBytes": 4000', '"durableBytes": 1500'))
    const server = new ScriptedFetch(genuine())
    t.is((await at.download(server, { expectedSha256 })).sha256, sha256(CONTENT))
    t.alike(starts(server), [expectedSha256 === undefined ? 1_500 : 4_000])
  }
})

test('should start over and say so when the rest is of another file or is not sent', async (t) => {
  const changed = { content: OTHER_CONTENT, headers: { etag: '"two"' } }
  const wrongStart: Answering = () =>
    new Response(OTHER_CONTENT.subarray(10), {
      status: 206,
      headers: { ...ETAG, 'content-range': 'bytes 10-9999/10000' },
    })
  const withoutCheck: Answering = ({ headers }) =>
    serving(changed)({ url: MODEL_URL, headers: { range: headers.range ?? '' } })
  const cases: [what: string, ...answers: Answering[]][] = [
    ['ranges are ignored', serving({ content: OTHER_CONTENT, headers: ETAG, ignoresRange: true })],
    ['the file changed', serving(changed)],
    ['the file changed and the condition is ignored', withoutCheck, serving(changed)],
    ['another part is sent', wrongStart, serving(changed)],
    ['the part is not named', () => new Response(OTHER_CONTENT, { status: 206 }), serving(changed)],
    ['the file is shorter now', status(416), serving(changed)],
  ]
  for (const [what, ...answers] of cases) {
    const at = new DownloadScene()
    const breaking = genuine({ breaksAfter: 4_000 })
    t.is(
      (await at.download(new ScriptedFetch(breaking, ...answers))).sha256,
      sha256(OTHER_CONTENT),
      what,
    )
    t.ok(at.storage.content(FILE)?.equals(OTHER_CONTENT), what)
    t.ok(
      at.notes.some((note) => note.includes('starting again')),
      what,
    )
    t.alike(at.storage.names(), [FILE], what)
  }
})

test('should start over when the server sends no validator for the file', async (t) => {
  const cases: [
    headers: Record<string, string>,
    expectedSha256: string | undefined,
    start: number,
  ][] = [
    [{}, undefined, 0],
    [{ etag: 'W/"weak"' }, undefined, 0],
    [{ 'last-modified': 'Fri, 20 Nov 2026 07:00:00 GMT' }, undefined, 4_000],
    [{}, sha256(CONTENT), 4_000],
  ]
  for (const [headers, expectedSha256, start] of cases) {
    const at = new DownloadScene()
    const failing = at.download(broken({ headers }), { expectedSha256 })
    await t.exception(failing, { code: 'MODEL_UNREACHABLE' })
    const server = new ScriptedFetch(genuine({ headers }))
    await at.download(server, { expectedSha256 })
    t.alike(starts(server), [start], JSON.stringify(headers))
    const answers = [genuine({ headers, breaksAfter: 4_000 }), genuine({ headers })]
    const sameProcess = new ScriptedFetch(...answers)
    await new DownloadScene().download(sameProcess, { expectedSha256 })
    t.alike(starts(sameProcess), [0, start], JSON.stringify(headers))
  }
})

test('should send no request when the file was complete except for its name', async (t) => {
  const at = new DownloadScene()
  const server = new ScriptedFetch(genuine())
  const { rename } = at.storage
  at.storage.rename = async (from, to) => {
    if (to === FILE) throw new Error('EIO: power failed')
    await rename.call(at.storage, from, to)
  }
  await t.exception(at.download(server), { code: 'MODEL_WRITE_FAILED' })
  at.storage.rename = rename
  t.is((await at.download(new ScriptedFetch(unreachable))).sha256, sha256(CONTENT))
  t.alike(at.storage.names(), [FILE])
})

test('should not go on with what is of another address', async (t) => {
  const at = new DownloadScene()
  await t.exception(at.download(broken()), { code: 'MODEL_UNREACHABLE' })
  const server = new ScriptedFetch(serving({ content: OTHER_CONTENT, headers: ETAG }))
  const url = 'https://example.com/other.gguf'
  t.is((await at.download(server, { url })).sha256, sha256(OTHER_CONTENT))
  t.alike(starts(server), [0])
})

test('should take a file of unknown length when it ends, and its rest when it breaks off', async (t) => {
  const at = new DownloadScene()
  const server = new ScriptedFetch(
    genuine({ hidesLength: true, breaksAfter: 4_000 }),
    genuine({ hidesLength: true }),
  )
  t.is((await at.download(server)).sha256, sha256(CONTENT))
  t.alike(starts(server), [0, 4_000])
})

test('should say how fast it goes once a second is over', async (t) => {
  const at = new DownloadScene()
  let sent = 0
  const server = new ScriptedFetch(() => {
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await at.clock.sleep(500)
        controller.enqueue(CONTENT.subarray(sent, sent + 2_000))
        sent += 2_000
        if (sent === CONTENT.length) controller.close()
      },
    })
    return new Response(body, { headers: { 'content-length': String(CONTENT.length) } })
  })
  await at.download(server)
  const rates = at.progress.map(({ bytesPerSecond }) => bytesPerSecond)
  t.is(rates[0], undefined)
  t.ok(Math.abs((rates.at(-1) ?? 0) - 4_000) < 400, `${rates.at(-1)} bytes a second`)
})
