import { PassThrough } from 'node:stream'
import test from 'brittle'
import { PROTOCOL_LIMITS } from '../../../../../helpers/protocol/limits.js'
import { readStandardInput } from '../../../../../workers/client/input/standard-input.js'

const never = new AbortController().signal

function piped(...pieces: (string | Uint8Array)[]): PassThrough {
  const input = new PassThrough()
  for (const piece of pieces) input.write(piece)
  input.end()
  return input
}

test('should be all of standard input when it is read from there', async (t) => {
  t.is(
    await readStandardInput(piped('Why is\n', 'the sky\nblue?\n'), never),
    'Why is\nthe sky\nblue?',
  )
  t.is(await readStandardInput(piped('Why?\r\n'), never), 'Why?')
  t.is(await readStandardInput(piped('\n\n'), never), '\n')
  t.is(await readStandardInput(piped(), never), '')
  const [first, second] = [Buffer.from('ä').subarray(0, 1), Buffer.from('ä').subarray(1)]
  t.is(await readStandardInput(piped(first, second), never), 'ä')
})

test('should be refused when it is too long or no text', async (t) => {
  const most = 'x'.repeat(PROTOCOL_LIMITS.promptBytes)
  t.is(await readStandardInput(piped(most), never), most)
  await t.exception(readStandardInput(piped(most, 'x'), never), { code: 'PAYLOAD_TOO_LARGE' })
  await t.exception(readStandardInput(piped(Buffer.of(0xff)), never), { code: 'INVALID_REQUEST' })
})

test('should be given up when the command is ended', async (t) => {
  const ending = new AbortController()
  const reading = readStandardInput(new PassThrough(), ending.signal)
  ending.abort(new Error('Ctrl-C'))
  await t.exception(reading, /Ctrl-C/)
})
