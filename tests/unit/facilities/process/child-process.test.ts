import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import test from 'brittle'
import { eachLogLine } from '../../../../facilities/process/child-process.js'

async function linesOf(...chunks: readonly string[]): Promise<string[]> {
  const stream = new PassThrough()
  const lines: string[] = []
  eachLogLine(stream, (line) => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await finished(stream)
  return lines
}

test('should put lines together when they arrive in pieces', async (t) => {
  t.alike(await linesOf('one\ntw', 'o\n\nth', 'ree'), ['one', 'two', 'three'])
})

test('should shorten a line when it is too long to read', async (t) => {
  const lines = await linesOf('x'.repeat(5_000), 'y'.repeat(5_000), '\nnext\n')
  t.alike(lines, ['x'.repeat(1_000), 'next'])
})
