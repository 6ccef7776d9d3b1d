import type { ErrorCode } from '../../helpers/errors/error-codes.js'

/** Something that keeps a worker from its work. */
export interface HealthProblem {
  /** What a request fails with because of it. */
  readonly code: ErrorCode
  /** For people: `No auth worker is connected`. */
  readonly message: string
  /** False when work goes on in spite of it, though not all of it or not as well. */
  readonly blocks: boolean
}

/** One number that says how a worker is. Its worker keeps it; others ask for it when they want it. */
export interface WorkerMetric {
  /** Camel case, without the role: `queueLength`. */
  readonly name: string
  /** One sentence. */
  readonly help: string
  /** A counter only grows. */
  readonly kind: 'gauge' | 'counter'
  readonly value: () => number
}

/** What every worker says about itself, so that logs and metrics need not be known to it. */
export interface WatchedWorker {
  /** What keeps it from its work at this moment. None: it is ready. */
  problems(): readonly HealthProblem[]
  /** The numbers that only its role has. */
  readonly metrics: readonly WorkerMetric[]
}

/** Whether work may be sent to a worker, and why not. */
export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly Pick<HealthProblem, 'code' | 'message'>[]
  /** What is wrong and does not block. */
  readonly warnings: readonly Pick<HealthProblem, 'code' | 'message'>[]
}

/** What problems come to, taken together. */
export function readinessOf(problems: readonly HealthProblem[]): Readiness {
  const those = (blocking: boolean) =>
    problems
      .filter(({ blocks }) => blocks === blocking)
      .map(({ code, message }) => ({ code, message }))
  const reasons = those(true)
  return { ready: reasons.length === 0, reasons, warnings: those(false) }
}
