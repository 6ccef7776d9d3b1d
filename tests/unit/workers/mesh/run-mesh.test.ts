import { PassThrough } from 'node:stream'
import test from 'brittle'
import { PipeWatch } from '../../../../workers/mesh/run-mesh.js'

test('should detect that a pipe has data, and leave the data in the pipe', async (t) => {
  const input = new PassThrough()
  const { settled } = new PipeWatch(input)
  input.write('one\n')
  t.is(await settled, 'something')
  const output = new PassThrough().setEncoding('utf8')
  input.pipe(output)
  input.end('two\n')
  let text = ''
  for await (const piece of output) text += piece
  t.is(text, 'one\ntwo\n')
})

test('should detect that a pipe has no data when it ends empty or breaks', async (t) => {
  for (const end of [
    (input: PassThrough) => input.end(),
    (input: PassThrough) => input.destroy(),
  ]) {
    const input = new PassThrough()
    const { settled } = new PipeWatch(input)
    end(input)
    t.is(await settled, 'nothing')
  }
})
