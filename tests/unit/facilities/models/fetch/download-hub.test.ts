import test from 'brittle'
import { MAX_FETCH_FAILURES } from '../../../../../facilities/models/fetch/download.js'
import {
  CONTENT,
  DownloadScene,
  OTHER_CONTENT,
  sha256,
} from '../../../../helpers/models/download-scene.js'
import { redirect, ScriptedFetch, serving } from '../../../../helpers/models/scripted-fetch.js'

test('should follow five redirects and no more', async (t) => {
  const hop = redirect('/next.gguf')
  const five = new ScriptedFetch(hop, hop, hop, hop, hop, serving({ content: CONTENT }))
  t.is((await new DownloadScene().download(five)).sha256, sha256(CONTENT))
  t.is(five.requests.at(-1)?.url, 'https://example.com/next.gguf')
  const endless = new ScriptedFetch(hop)
  await t.exception(new DownloadScene().download(endless), /redirects more than 5 times/)
  t.is(endless.requests.length, 6 * MAX_FETCH_FAILURES)
})

test('should not follow a redirect to where nobody may send it', async (t) => {
  for (const location of [
    'http://example.com/x',
    'http://127.0.0.1:1/x',
    'file:///etc/passwd',
    '',
  ]) {
    const server = new ScriptedFetch(redirect(location))
    await t.exception(new DownloadScene().download(server), { code: 'MODEL_NOT_FOUND' })
    t.is(server.requests.length, 1)
  }
})

test('should give the token to the hub alone, and not after a redirect has left it', async (t) => {
  const hub = { origin: 'https://hub.example', token: 'hf_secret' }
  const server = new ScriptedFetch(
    redirect('/renamed/x.gguf'),
    redirect('https://cdn.example/blob'),
    redirect('https://hub.example/again'),
    serving({ content: CONTENT }),
  )
  await new DownloadScene().download(server, { url: 'https://hub.example/x.gguf', hub })
  const tokens = server.requests.map(({ headers }) => headers.authorization)
  t.alike(tokens, ['Bearer hf_secret', 'Bearer hf_secret', undefined, undefined])
  const elsewhere = new ScriptedFetch(serving({ content: CONTENT }))
  await new DownloadScene().download(elsewhere, { hub })
  t.absent(elsewhere.requests[0]?.headers.authorization)
})

test('should hold the file against the hash that the hub names', async (t) => {
  const hub = { origin: 'https://hub.example', token: undefined }
  const url = 'https://hub.example/x.gguf'
  const linked = (hash: string) =>
    redirect('https://cdn.example/x', { 'x-linked-etag': `"${hash}"` })
  const right = new ScriptedFetch(linked(sha256(CONTENT)), serving({ content: CONTENT }))
  t.is((await new DownloadScene().download(right, { url, hub })).sha256, sha256(CONTENT))
  const direct = serving({ content: CONTENT, headers: { etag: `"${sha256(OTHER_CONTENT)}"` } })
  for (const answers of [
    [linked(sha256(OTHER_CONTENT)), serving({ content: CONTENT })],
    [direct],
  ]) {
    const at = new DownloadScene()
    await t.exception(at.download(new ScriptedFetch(...answers), { url, hub }), {
      code: 'MODEL_INVALID',
    })
    t.alike(at.storage.names(), [])
  }
  // Nobody else's ETag is taken for a hash.
  t.is((await new DownloadScene().download(new ScriptedFetch(direct))).sha256, sha256(CONTENT))
})

test('should fetch nothing when the hub names another hash than was asked for', async (t) => {
  const at = new DownloadScene()
  const hub = { origin: 'https://hub.example', token: undefined }
  const server = new ScriptedFetch(
    redirect('https://cdn.example/x', { 'x-linked-etag': `"${sha256(OTHER_CONTENT)}"` }),
    serving({ content: OTHER_CONTENT, stallsAfter: 0 }),
  )
  const options = { url: 'https://hub.example/x', hub, expectedSha256: sha256(CONTENT) }
  await t.exception(at.download(server, options), { code: 'MODEL_INVALID' })
  t.alike(at.storage.names(), [])
})

test('should begin anew when the hub has another file now', async (t) => {
  const hub = { origin: 'https://hub.example', token: undefined }
  const url = 'https://hub.example/x'
  const linked = (hash: string) =>
    redirect('https://cdn.example/x', { 'x-linked-etag': `"${hash}"` })
  const server = new ScriptedFetch(
    linked(sha256(CONTENT)),
    serving({ content: CONTENT, breaksAfter: 4_000 }),
    linked(sha256(OTHER_CONTENT)),
    serving({ content: OTHER_CONTENT }),
    linked(sha256(OTHER_CONTENT)),
    serving({ content: OTHER_CONTENT }),
  )
  t.is((await new DownloadScene().download(server, { url, hub })).sha256, sha256(OTHER_CONTENT))
})
