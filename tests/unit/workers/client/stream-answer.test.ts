import { Writable } from 'node:stream'
import test, { type Test } from 'brittle'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { Output } from '../../../../workers/client/output.js'
import { streamAnswer } from '../../../../workers/client/stream-answer.js'
import { rejectionOf, settle } from '../../../helpers/until.js'
import { clientScene, END } from '../../../helpers/workers/client-scene.js'

const QUESTION = { messages: [{ role: 'user' as const, content: 'Why?' }] }

/** A client whose output nobody reads, as with \`ask … | less\`, and an answer that is made when it is read. */
async function scene(t: Test, tokens: number, text: string) {
  const { tools, client } = await clientScene(t)
  const made = { tokens: 0, hasEnded: false }
  client.ask.callsFake(async function* (_question, signal) {
    try {
      for (let index = 0; index < tokens; index += 1) {
        signal.throwIfAborted()
        made.tokens += 1
        yield { text, tokenId: 0, index }
      }
      return END
    } finally {
      made.hasEnded = true
    }
  })
  const result = new Writable({ write: () => undefined })
  const home = tools.host.home.directory
  const output = new Output({ json: false, home, result, notices: new Writable() })
  const leaving = new AbortController()
  return { tools: { ...tools, output, signal: leaving.signal }, made, result, leaving }
}

test('should read an answer to its end while nobody reads the output', async (t) => {
  const { tools, made } = await scene(t, 5_000, 'forty characters, as some tokens have …')
  await streamAnswer(tools, QUESTION)
  t.is(made.tokens, 5_000)
  t.ok(made.hasEnded)
})

test('should read no further than memory may grow while nobody reads the output', async (t) => {
  const { tools, made, result, leaving } = await scene(t, 1_000, 'x'.repeat(64 * 1024))
  const answer = rejectionOf(streamAnswer(tools, QUESTION))
  await settle(100)
  t.is(made.tokens, 64, 'four mebibytes')
  leaving.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  t.is(Object(await answer).code, 'CANCELLED', 'and leaves at once')
  t.ok(made.hasEnded)
  result.destroy()
})
