import test from 'brittle'
import fc from 'fast-check'
import {
  type ServerSentEvent,
  ServerSentEvents,
} from '../../../../helpers/http/server-sent-events.js'
import { TextLines } from '../../../../helpers/text/text-lines.js'
import { ensure, holds } from '../../../helpers/property.js'

const lineEnd = fc.constantFrom('\n', '\r\n', '\r')
const text = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((one) => one.replaceAll(/[\r\n]/g, ' '))
const line = fc.oneof(
  fc.constantFrom('', 'data', 'data:', 'data: ', 'event', 'event:x', ':', 'id: 7', 'retry: 9'),
  text.map((value) => `data: ${value}`),
  text.map((value) => `data:${value}`),
  text.map((value) => `event: ${value}`),
  text.map((value) => `: ${value}`),
  text,
)
const stream = fc
  .array(fc.tuple(line, lineEnd), { maxLength: 20 })
  .map((lines) => lines.map((parts) => parts.join('')).join(''))
const cuts = fc.array(fc.nat(400), { maxLength: 12 })

/** The text's bytes, cut at these places, wherever they are. */
function pieces(whole: string, places: readonly number[]): Uint8Array[] {
  const bytes = Buffer.from(whole)
  const inOrder = [0, ...places.filter((place) => place < bytes.length), bytes.length].sort(
    (one, other) => one - other,
  )
  return inOrder.slice(1).map((place, index) => bytes.subarray(inOrder[index], place))
}

/** As the specification has it, of the whole text at once. */
function reference(whole: string): ServerSentEvent[] {
  const events: ServerSentEvent[] = []
  let type = ''
  let data = ''
  const lines = new TextDecoder().decode(Buffer.from(whole)).split(/\r\n|\r|\n/)
  for (const one of lines.slice(0, -1)) {
    if (one === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1) })
      type = ''
      data = ''
      continue
    }
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(one) ?? []
    if (name === 'event') type = value
    if (name === 'data') data += `${value}\n`
  }
  return events
}

test('should give the events of the specification however the stream is cut', async (t) => {
  await holds(
    t,
    fc.property(stream, cuts, (whole, places) => {
      const parser = new ServerSentEvents(1_000_000)
      const events = pieces(whole, places).flatMap((piece) => parser.push(piece))
      ensure(
        JSON.stringify(events) === JSON.stringify(reference(whole)),
        `${JSON.stringify(events)} for ${JSON.stringify(whole)}`,
      )
    }),
    300,
  )
})

test('should give the lines of a text however it is cut', async (t) => {
  const texts = fc.oneof(
    stream,
    fc.string({ unit: fc.constantFrom('a', '\r', '\n', '€', '🙂', '\ufeff') }),
  )
  await holds(
    t,
    fc.property(texts, cuts, (whole, places) => {
      const lines = new TextLines(1_000_000)
      const split = pieces(whole, places).flatMap((piece) => lines.push(piece))
      split.push(...lines.end())
      const expected = new TextDecoder().decode(Buffer.from(whole)).split(/\r\n|\r|\n/)
      if (expected.at(-1) === '') expected.pop()
      ensure(JSON.stringify(split) === JSON.stringify(expected), JSON.stringify(whole))
    }),
    300,
  )
})
