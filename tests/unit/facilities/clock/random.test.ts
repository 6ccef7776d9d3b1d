import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'

test('should stay within its bounds when numbers are drawn', (t) => {
  const random = new SystemRandom()
  const drawn = Array.from({ length: 200 }, () => random.below(3))
  t.alike([...new Set(drawn)].sort(), [0, 1, 2])
  t.is(random.below(1), 0)
  const most = random.below(2 ** 32)
  t.ok(Number.isInteger(most) && most >= 0 && most < 2 ** 32)
  const fractions = Array.from({ length: 200 }, () => random.fraction())
  t.ok(fractions.every((fraction) => fraction >= 0 && fraction < 1))
})

test('should give other numbers each time when many are drawn', (t) => {
  const random = new SystemRandom()
  const draws = 10_000
  const drawn = new Set(Array.from({ length: draws }, () => random.below(2 ** 32)))
  // Two alike are rare, not impossible: one set of draws in eighty has them.
  t.ok(drawn.size > draws - 5, `${drawn.size} of ${draws}`)
})

test('should give as many bytes as asked, other ones each time, when bytes are drawn', (t) => {
  const random = new SystemRandom()
  t.is(random.bytes(0).byteLength, 0)
  t.is(random.bytes(32).byteLength, 32)
  t.unlike(random.bytes(32), random.bytes(32))
})
