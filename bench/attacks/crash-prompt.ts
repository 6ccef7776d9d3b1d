/** The question that ends the process of an engine in the benchmark: see crashing-engine.ts. */
export const CRASH_PROMPT = 'Crash, please.'
