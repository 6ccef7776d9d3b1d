import test from 'brittle'
import fc from 'fast-check'
import {
  MAX_CHUNK_TOKENS,
  MIN_CHUNK_TOKENS,
  PrefillPace,
} from '../../../../helpers/generation/prefill-pace.js'
import { ensure, holds } from '../../../helpers/property.js'

test('should read as much as possible at once when no answer waits for it', (t) => {
  const pace = new PrefillPace({ maxStallMs: 10 })
  t.is(pace.chunkTokens(true), MAX_CHUNK_TOKENS)
  pace.measured(63, 63)
  t.is(pace.chunkTokens(true), MAX_CHUNK_TOKENS)
})

test('should read little at once beside others as long as it knows nothing', (t) => {
  t.is(new PrefillPace({ maxStallMs: 50 }).chunkTokens(false), MIN_CHUNK_TOKENS)
})

test('should read as much as the others may wait for', (t) => {
  const pace = new PrefillPace({ maxStallMs: 50 })
  pace.measured(20, 20 * 1.25)
  t.is(pace.chunkTokens(false), 40)
})

test('should read less when chunks take longer, and more again afterwards', (t) => {
  const pace = new PrefillPace({ maxStallMs: 50 })
  const next = (tokenMs: number) => {
    const tokens = pace.chunkTokens(false)
    pace.measured(tokens, tokens * tokenMs)
    return pace.chunkTokens(false)
  }
  for (let chunk = 0; chunk < 5; chunk++) next(0.5)
  t.is(pace.chunkTokens(false), MAX_CHUNK_TOKENS)
  t.is(next(10), MIN_CHUNK_TOKENS)
  for (let chunk = 0; chunk < 6; chunk++) next(0.5)
  t.is(pace.chunkTokens(false), MAX_CHUNK_TOKENS)
})

test('should keep a slow model cancellable when it is alone', (t) => {
  const pace = new PrefillPace({ maxStallMs: 50 })
  pace.measured(16, 16 * 5)
  t.is(pace.chunkTokens(true), 30)
})

test('should read no more than was found to be fastest', (t) => {
  t.is(new PrefillPace({ maxStallMs: 50, mostTokens: 32 }).chunkTokens(true), 32)
})

test('should stay below 64 tokens whatever is measured', async (t) => {
  const measurement = fc.tuple(fc.integer(), fc.double(), fc.boolean())
  const property = fc.property(fc.double(), fc.array(measurement), (maxStallMs, measurements) => {
    const pace = new PrefillPace({ maxStallMs })
    for (const [tokens, elapsedMs, isAlone] of measurements) {
      pace.measured(tokens, elapsedMs)
      const chunk = pace.chunkTokens(isAlone)
      ensure(Number.isInteger(chunk) && chunk >= 16 && chunk < 64, String(chunk))
    }
  })
  await holds(t, property)
})
