import test from 'brittle'
import { tokenSeed } from '../../../../helpers/generation/token-seed.js'

test('should give the pinned MurmurHash3 values, because answers are resumed across versions', (t) => {
  t.is(tokenSeed(0, 0), 1_669_671_676)
  t.is(tokenSeed(0, 1), 987_256_456)
  t.is(tokenSeed(1, 0), 1_392_991_556)
  t.is(tokenSeed(42, 7), 2_337_390_082)
  t.is(tokenSeed(0xffff_ffff, 32_767), 2_813_441_400)
})

test('should give each position of an answer another seed when the answer is long', (t) => {
  for (const seed of [0, 1, 0xffff_ffff]) {
    const seeds = new Set(Array.from({ length: 4_096 }, (_, position) => tokenSeed(seed, position)))
    t.is(seeds.size, 4_096)
  }
})

test('should stay below the value that stands for a random seed when any input is given', (t) => {
  let highest = 0
  let lowest = 0
  for (let position = 0; position < 10_000; position++) {
    const seed = tokenSeed(position * 429_496, position)
    highest = Math.max(highest, seed)
    lowest = Math.min(lowest, seed)
  }
  t.ok(highest < 0xffff_ffff)
  t.is(lowest, 0)
})
