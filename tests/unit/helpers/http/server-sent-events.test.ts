import test from 'brittle'
import { ServerSentEvents } from '../../../../helpers/http/server-sent-events.js'
import { TextLines } from '../../../../helpers/text/text-lines.js'
import { codeThrownBy } from '../../../helpers/property.js'

function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

test('should read the examples of the specification', (t) => {
  const parser = new ServerSentEvents(1000)
  const stream = `: test stream

data: first event
id: 1

data:second event
id

data:  third event

data
event: add
data: 73857293

event: nothing

data: cut off`
  t.alike(parser.push(bytes(stream)), [
    { type: 'message', data: 'first event' },
    { type: 'message', data: 'second event' },
    { type: 'message', data: ' third event' },
    { type: 'add', data: '\n73857293' },
  ])
})

test('should give an event as soon as its last line has ended', (t) => {
  const parser = new ServerSentEvents(1000)
  t.alike(parser.push(bytes('data: [DONE]\r\r')), [{ type: 'message', data: '[DONE]' }])
  t.alike(parser.push(bytes('\ndata: x\n\n')), [{ type: 'message', data: 'x' }])
})

test('should refuse an event that is too long, in one line or in many', (t) => {
  const long = 'data: '.padEnd(200, 'x')
  t.is(
    codeThrownBy(() => new ServerSentEvents(100).push(bytes(long))),
    'PAYLOAD_TOO_LARGE',
  )
  const many = 'data: x\n'.repeat(60)
  t.is(
    codeThrownBy(() => new ServerSentEvents(100).push(bytes(many))),
    'PAYLOAD_TOO_LARGE',
  )
  t.is(new ServerSentEvents(100).push(bytes('data: x\n\n'.repeat(60))).length, 60)
})

test('should refuse a line that is too long before it has ended', (t) => {
  const lines = new TextLines(10)
  t.alike(lines.push(bytes('0123456789\n01234')), ['0123456789'])
  t.is(
    codeThrownBy(() => lines.push(bytes('567890'))),
    'PAYLOAD_TOO_LARGE',
  )
})

test('should drop one byte order mark and no more when it is cut', (t) => {
  const text = bytes('\ufeff\ufeffa\n')
  for (let cut = 0; cut <= text.length; cut++) {
    const lines = new TextLines(10)
    const split = [...lines.push(text.subarray(0, cut)), ...lines.push(text.subarray(cut))]
    t.alike(split, ['\ufeffa'], `cut at ${cut}`)
  }
})
