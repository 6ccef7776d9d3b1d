/** How the values of both sides become the comparison of a round. */
const COMPARE = {
  ratio: (starling: number, baseline: number) => starling / baseline,
  difference: (starling: number, baseline: number) => starling - baseline,
  /** For rows without a baseline. */
  absolute: (starling: number) => starling,
}

/** What a row of the results says about itself. */
interface Row {
  /** What is measured, for the table. */
  readonly what: string
  /** What the baseline is, for the table. Empty: there is none. */
  readonly against: string
  /** The unit of both sides: `calls/s`, `ms`. */
  readonly unit: string
  /** For the table: `at least 0.85`. */
  readonly goal: string
  /** How both sides are compared. */
  readonly compare: keyof typeof COMPARE
}

/** A comparison to measure: the same work done by the baseline and by Starling, in the same run. */
export interface Comparison extends Row {
  /** Measures the baseline once. */
  readonly baseline: () => Promise<number>
  /** Measures Starling once. */
  readonly starling: () => Promise<number>
}

/** The minimum, median and maximum of several runs. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** A measured comparison. */
export interface Result extends Row {
  readonly baseline: Spread
  readonly starling: Spread
  /** Computed for each round, so that a machine whose speed drifts has little effect. */
  readonly comparison: Spread
}

/**
 * Measures both sides alternately, after a warm-up that is not counted.
 *
 * @param rounds at least 1
 */
export async function measure(row: Comparison, rounds: number): Promise<Result> {
  const { baseline, starling, compare, ...described } = row
  await baseline()
  await starling()
  const baselineRuns: number[] = []
  const starlingRuns: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    // The side that goes first changes with each round.
    const isBaselineFirst = round % 2 === 0
    if (isBaselineFirst) baselineRuns.push(await baseline())
    starlingRuns.push(await starling())
    if (!isBaselineFirst) baselineRuns.push(await baseline())
  }
  const compared = starlingRuns.map((value, round) =>
    COMPARE[compare](value, baselineRuns[round] ?? Number.NaN),
  )
  return {
    ...described,
    compare,
    baseline: spreadOf(baselineRuns),
    starling: spreadOf(starlingRuns),
    comparison: spreadOf(compared),
  }
}

/** The spread of several runs. */
export function spreadOf(runs: readonly number[]): Spread {
  const sorted = [...runs].sort((a, b) => a - b)
  return { min: sorted[0] ?? 0, median: quantile(sorted, 0.5), max: sorted.at(-1) ?? 0 }
}

/**
 * A quantile of sorted values.
 *
 * @param share 0.5 for the median, 0.99 for the 99th percentile
 */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
