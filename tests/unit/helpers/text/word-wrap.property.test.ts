import test from 'brittle'
import fc from 'fast-check'
import stringWidth from 'string-width'
import { WordWrap } from '../../../../helpers/text/word-wrap.js'
import { ensure, holds } from '../../../helpers/property.js'

const word = fc
  .string({
    unit: fc.constantFrom('a', 'é', 'ß', '-', 'Ω', 'x.', 'e\u0301'),
    minLength: 1,
    maxLength: 9,
  })
  .filter((one) => stringWidth(one) <= 10)
const text = fc
  .array(fc.tuple(word, fc.constantFrom(' ', ' ', ' ', '\n', '  ')), { maxLength: 30 })
  .map((parts) => parts.flat().join(''))
const columns = fc.integer({ min: 20, max: 60 })
const size = fc.integer({ min: 1, max: 20 })

test('should lose no word, split none and make no line too wide, however the text is cut', async (t) => {
  await holds(
    t,
    fc.property(text, columns, size, (whole, width, pieceSize) => {
      const wrap = new WordWrap(() => width)
      let written = ''
      for (let start = 0; start < whole.length; start += pieceSize) {
        written += wrap.push(whole.slice(start, start + pieceSize))
      }
      written += wrap.end()
      const words = (of: string) =>
        of
          .split(/[ \n]+/)
          .join(' ')
          .trim()
      ensure(words(written) === words(whole), 'other words')
      const tooWide = written.split('\n').filter((line) => stringWidth(line) > width)
      ensure(tooWide.length === 0, `too wide: ${tooWide[0]}`)
      const lineEnds = (of: string) => of.split('\n').length
      ensure(lineEnds(written) >= lineEnds(whole), 'a line end is missing')
    }),
  )
})
