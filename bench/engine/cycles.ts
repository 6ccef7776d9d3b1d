const VARIABLE = 'STARLING_BENCH_CYCLES'

/**
 * How many cycles of load, answer and dispose each round counts, 20 unless the environment says
 * otherwise. The variable is taken out of the environment: what the benchmarks start would refuse it as
 * a setting that does not exist.
 */
export function takeCycles(environment: NodeJS.ProcessEnv): number {
  const cycles = Number(environment[VARIABLE] ?? 20)
  delete environment[VARIABLE]
  return cycles
}
