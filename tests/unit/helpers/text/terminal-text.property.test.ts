import test from 'brittle'
import fc from 'fast-check'
import { SafeTextPieces, safeJson, safeText } from '../../../../helpers/text/terminal-text.js'
import { ensure, holds } from '../../../helpers/property.js'

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\u001b',
    '[2J',
    '\u009b',
    '\u202e',
    '\ud83d',
    '\udc4b',
    '\t',
  ),
)
const pieces = fc.array(piece, { maxLength: 12 })

test('should write nothing that a terminal acts on however an answer is cut', async (t) => {
  await holds(
    t,
    fc.property(pieces, (texts) => {
      const safe = new SafeTextPieces()
      const shown = texts.map((text) => safe.push(text)).join('') + safe.end()
      ensure(shown === safeText(texts.join('')), 'not the same as the whole')
      const bytes = Buffer.from(shown)
      ensure(bytes.toString() === shown, 'not UTF-8')
      ensure(!/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(shown), 'a control character')
    }),
  )
})

test('should write JSON that parses to what came whatever it is', async (t) => {
  await holds(
    t,
    fc.property(pieces, (texts) => {
      const json = safeJson(texts)
      ensure(!/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(json), 'a control character')
      ensure(JSON.stringify(JSON.parse(json)) === JSON.stringify(texts), 'another value')
    }),
  )
})
