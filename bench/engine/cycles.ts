const VARIABLE = 'STARLING_BENCH_CYCLES'

/**
 * How many cycles of load, answer and dispose each round runs: 20, or STARLING_BENCH_CYCLES. The variable
 * is removed from the environment, because the workers that the benchmarks start would refuse it as an
 * unknown setting.
 */
export function takeCycles(environment: NodeJS.ProcessEnv): number {
  const cycles = Number(environment[VARIABLE] ?? 20)
  delete environment[VARIABLE]
  return cycles
}
