import test from 'brittle'
import fc from 'fast-check'
import { unitVector } from '../../../../helpers/generation/vectors.js'
import { textPieces } from '../../../../helpers/text/text-pieces.js'
import { ensure, holds } from '../../../helpers/property.js'

const LONE_SURROGATE = /[\ud800-\udfff]/u

test('should cut a text into pieces that are it again, and no character in two', async (t) => {
  t.alike(textPieces('', 3), [])
  t.alike(textPieces('abcde', 3), ['abc', 'de'])
  t.alike(textPieces('ab🙂c', 3), ['ab', '🙂c'])
  await holds(
    t,
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 2, max: 9 }), (text, most) => {
      const pieces = textPieces(text, most)
      ensure(pieces.join('') === text, 'all of it')
      ensure(
        pieces.every(
          (piece) => piece.length > 0 && piece.length <= most && !LONE_SURROGATE.test(piece),
        ),
        JSON.stringify(pieces),
      )
    }),
  )
})

test('should bring a vector to length 1, or say that it has no direction', (t) => {
  t.alike([...unitVector([3, 0, 4])], [Math.fround(0.6), 0, Math.fround(0.8)])
  for (const wrong of [[], [0, 0], [Number.NaN], [Number.POSITIVE_INFINITY, 1]]) {
    try {
      unitVector(wrong)
      t.fail(String(wrong))
    } catch (error) {
      t.ok(error instanceof RangeError)
    }
  }
})
