import type { Test } from 'brittle'
import { simulate } from './simulate.js'

const MINUTE_MS = 60_000

/** How long each of the two halves of the seeds is run; `.ci/run` sets eight minutes. */
export const SEEDS_MS = Number(process.env.SIMULATION_MINUTES ?? 0.25) * MINUTE_MS

/** The first seed; `.ci/run` sets another one every day. */
const FIRST_SEED = Number(process.env.SIMULATION_SEED ?? 1)

/**
 * Runs every second seed for {@link SEEDS_MS}, the odd or the even ones, so that two processes share the seeds.
 *
 * @param offset 0 or 1
 */
export async function holdForSeeds(t: Test, offset: 0 | 1): Promise<void> {
  const endsAtMs = performance.now() + SEEDS_MS
  let seeds = 0
  for (; performance.now() < endsAtMs; seeds += 1) {
    const { seed, failure, tail } = await simulate(FIRST_SEED + offset + 2 * seeds)
    if (failure === null) continue
    t.comment(tail.join('\n'))
    const { invariant, message } = failure
    t.fail(`npm run simulate -- --seed ${seed}: violates ${invariant}: ${message}`)
    return
  }
  t.pass(`${seeds} seeds`)
}
