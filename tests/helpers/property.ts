import type { Test } from 'brittle'
import fc, { type IAsyncProperty, type IProperty } from 'fast-check'

const SHOWN_CHARACTERS = 1_000

/**
 * Checks a property against random examples. A failing one is shrunk and reported
 * with the seed that reproduces it: `PROPERTY_SEED=… node tests/run.js FILE`.
 *
 * @param examples how many, default 100; PROPERTY_RUNS=10000 overrides it
 */
export async function holds<Values>(
  t: Test,
  property: IProperty<Values> | IAsyncProperty<Values>,
  examples = 100,
): Promise<void> {
  const { PROPERTY_SEED, PROPERTY_RUNS } = process.env
  const run = await fc.check(property, {
    numRuns: PROPERTY_RUNS === undefined ? examples : Number(PROPERTY_RUNS),
    ...(PROPERTY_SEED !== undefined && { seed: Number(PROPERTY_SEED) }),
  })
  if (!run.failed) {
    t.pass(`held for ${run.numRuns} examples`)
    return
  }
  const { seed, counterexample, errorInstance } = run
  const reason = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  const example = fc.stringify(counterexample).slice(0, SHOWN_CHARACTERS)
  t.fail(`PROPERTY_SEED=${seed}: ${reason.slice(0, SHOWN_CHARACTERS)}, for ${example}`)
}

/** Fails the current example. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message)
}

/** The code of the error that an action fails with; null when it does not. */
export function codeThrownBy(action: () => unknown): string | null {
  try {
    action()
    return null
  } catch (error) {
    return String(Object(error).code)
  }
}
