import { readFile } from 'node:fs/promises'
import test from 'brittle'
import { z } from 'zod'
import { simulate } from './simulate.js'

const keptSchema = z.array(z.strictObject({ seed: z.number().int(), why: z.string() }))
const kept = keptSchema.parse(
  JSON.parse(await readFile(new URL('seeds.json', import.meta.url), 'utf8')),
)

test('should happen in the same way when a seed is run again', async (t) => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const [one, other] = [await simulate(seed), await simulate(seed)]
    t.is(one.hash, other.hash, `seed ${seed}`)
  }
})

test('should happen in another way when the seed differs', async (t) => {
  t.not((await simulate(1)).hash, (await simulate(2)).hash)
})

test('should hold for seeds that failed once', async (t) => {
  for (const { seed, why } of kept) t.is((await simulate(seed)).failure, null, `${seed}: ${why}`)
  t.pass(`${kept.length} seeds`)
})
