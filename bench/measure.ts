/** What a round of measuring comes to, from Starling's value and the raw one. */
const FIGURES = {
  ratio: (ours: number, raw: number) => ours / raw,
  difference: (ours: number, raw: number) => ours - raw,
  /** Where there is nothing to compare with. */
  absolute: (ours: number) => ours,
}

/** One comparison: the same work done by Starling and by its raw counterpart, in the same run. */
export interface Comparison {
  /** What is measured, for the table. */
  readonly what: string
  /** What it is compared with. */
  readonly against: string
  /** The unit of both sides: `calls/s`, `ms`. */
  readonly unit: string
  /** For the table: `at least 0.85`. */
  readonly goal: string
  /** How both sides become the figure of the table. */
  readonly compare: keyof typeof FIGURES
  /** Measures one side once. */
  readonly raw: () => Promise<number>
  readonly ours: () => Promise<number>
}

/** The smallest, the middle and the largest of several runs. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** A measured comparison. */
export interface Result {
  readonly what: string
  readonly against: string
  readonly unit: string
  readonly goal: string
  readonly compare: keyof typeof FIGURES
  readonly raw: Spread
  readonly ours: Spread
  /** Ours against raw, round by round, so that a machine whose speed drifts changes it little. */
  readonly figure: Spread
}

/**
 * Measures both sides in turn, round by round, after one round that is not counted.
 *
 * @param rounds at least 1
 */
export async function measure(comparison: Comparison, rounds: number): Promise<Result> {
  const { raw, ours, compare, ...described } = comparison
  await raw()
  await ours()
  const rawRuns: number[] = []
  const ourRuns: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    // Whoever goes first in a round goes second in the next.
    const first = round % 2 === 0
    if (first) rawRuns.push(await raw())
    ourRuns.push(await ours())
    if (!first) rawRuns.push(await raw())
  }
  const figures = ourRuns.map((value, round) => {
    const other = rawRuns[round] ?? Number.NaN
    return FIGURES[compare](value, other)
  })
  return {
    ...described,
    compare,
    raw: spreadOf(rawRuns),
    ours: spreadOf(ourRuns),
    figure: spreadOf(figures),
  }
}

/** The spread of several runs. */
export function spreadOf(runs: readonly number[]): Spread {
  const sorted = [...runs].sort((a, b) => a - b)
  return { min: sorted[0] ?? 0, median: quantile(sorted, 0.5), max: sorted.at(-1) ?? 0 }
}

/** The value below which that share of the sorted values lies. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
