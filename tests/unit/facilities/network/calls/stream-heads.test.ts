import test from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { readAll } from '../../../../helpers/network/call-service.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count } from '../../../../helpers/network/sample-service.js'
import { say, TokenSource, tokenAt } from '../../../../helpers/network/sample-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

test('should deliver a head before the first chunk, and the chunks after it', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(say, async ({ words }) => ({
    head: { title: `${words} words` },
    chunks: (async function* () {
      for (let index = 0; index < words; index += 1) yield tokenAt(index)
      return { total: words }
    })(),
  }))
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  for (const words of [20, 0]) {
    const answer = connection.open(say, { words }, mesh.call())
    t.alike(await answer.head(), { title: `${words} words` })
    const { chunks, end } = await readAll(answer)
    t.alike(
      chunks,
      Array.from({ length: words }, (_, index) => tokenAt(index)),
    )
    t.alike(end, { total: words })
    t.alike(await answer.head(), { title: `${words} words` }, 'at any time')
  }
  t.is(mesh.time.pending, timers)
})

test('should begin with its first chunk when a method has no head', async (t) => {
  const mesh = new PipedMesh(t)
  let answer = () => {}
  const service = new Service().stream(count, async function* () {
    await new Promise<void>((resolve) => {
      answer = resolve
    })
    yield { n: 0 }
    return { total: 1 }
  })
  const { connection } = await mesh.connected(service)
  const stream = connection.open(count, { to: 1 }, mesh.call())
  let hasBegun = false
  const begun = stream.head().then(() => {
    hasBegun = true
  })
  await settle(10)
  t.absent(hasBegun)
  answer()
  await begun
  t.is((await readAll(stream)).chunks.length, 1)
})

test('should close the handler, and leave no timer, when the reader leaves before the head', async (t) => {
  const mesh = new PipedMesh(t)
  let know: (title: string) => void = () => undefined
  const log = { started: 0, ended: 0 }
  const service = new Service().stream(say, async () => {
    const title = await new Promise<string>((resolve) => {
      know = resolve
    })
    return {
      head: { title },
      chunks: (async function* () {
        log.started += 1
        try {
          yield tokenAt(0)
          return { total: 1 }
        } finally {
          log.ended += 1
        }
      })(),
    }
  })
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const answer = connection.open(say, { words: 1 }, mesh.call())
  const head = rejectionOf(answer.head())
  await settle(10)
  await answer.return({ total: 0 })
  t.is(Object(await head).code, 'CANCELLED')
  await settle(10)
  know('too late')
  await until('the chunks to be closed', () => log.ended === 1)
  t.alike(log, { started: 1, ended: 1 }, 'started, so that what they hold is given back')
  await service.drain()
  t.is(mesh.time.pending, timers)
})

test('should cancel the handler when the reader leaves after the head', async (t) => {
  const mesh = new PipedMesh(t)
  const source = new TokenSource()
  let signal: AbortSignal | undefined
  const service = new Service().stream(say, async (_request, context) => {
    signal = context.signal
    return { head: { title: 'x' }, chunks: source.tokens() }
  })
  const { connection } = await mesh.connected(service)
  const answer = connection.open(say, { words: 1 }, mesh.call())
  await answer.head()
  await answer.return({ total: 0 })
  await until('the handler to hear of it', () => signal?.aborted)
  t.is(signal?.reason.code, 'CANCELLED')
})
