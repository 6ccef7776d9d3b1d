import test from 'brittle'
import { holdForSeeds, SEEDS_MS } from './seed-range.js'

test('should hold whatever happens to a mesh', { timeout: SEEDS_MS + 60_000 }, async (t) => {
  await holdForSeeds(t, 0)
})
