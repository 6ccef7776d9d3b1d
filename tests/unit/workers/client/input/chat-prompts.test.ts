import { PassThrough } from 'node:stream'
import test from 'brittle'
import {
  isStarlingError,
  type StarlingError,
} from '../../../../../helpers/errors/starling-error.js'
import { ChatPrompts } from '../../../../../workers/client/input/chat-prompts.js'
import { rejectionOf } from '../../../../helpers/until.js'

/** The input of a chat that comes from a pipe. */
function piped() {
  const input = new PassThrough()
  const terminal = { input, screen: new PassThrough() }
  const chat = new ChatPrompts({ terminal, history: [], onInterrupt: () => undefined })
  const read = async () => {
    const prompts: (string | StarlingError)[] = []
    for await (const prompt of chat.prompts()) prompts.push(prompt)
    return prompts
  }
  return { input, chat, read }
}

test('should give each line as it was written when it is UTF-8', async (t) => {
  const { input, read } = piped()
  const lines = ['plain', '', 'café ☕ 👋', '\u2028 separates nothing', 'é'.repeat(50_000)]
  const bytes = Buffer.from(lines.join('\n'))
  const prompts = read()
  // Characters arrive in pieces.
  for (let start = 0; start < bytes.length; start += 1_001) {
    input.write(bytes.subarray(start, start + 1_001))
  }
  input.end()
  t.alike(await prompts, lines)
})

test('should name the line and continue with the next when one is not UTF-8', async (t) => {
  const { input, read } = piped()
  const prompts = read()
  const wrong = [
    [0xff, 0xfe],
    [0x63, 0xe9],
    [0xe2, 0x98],
    [0xc0, 0xaf],
    [0xed, 0xa0, 0x80],
  ]
  for (const bytes of wrong) input.write(Buffer.from([...bytes, 0x0a]))
  input.end('right\n')
  const lines = await prompts
  t.is(lines.at(-1), 'right')
  for (const [index, error] of lines.slice(0, -1).entries()) {
    if (!isStarlingError(error, 'INVALID_REQUEST')) return t.fail(`line ${index + 1} was taken`)
    t.is(error.message, `Line ${index + 1} of standard input is not valid UTF-8`)
  }
})

test('should give up when a pipe brings a line without an end', async (t) => {
  const { input, read } = piped()
  input.write('first\n')
  const prompts = rejectionOf(read())
  const endless = Buffer.alloc(1024 * 1024, 'a')
  for (let i = 0; i < 17; i += 1) input.write(endless)
  t.ok(isStarlingError(await prompts, 'PAYLOAD_TOO_LARGE'))
})
