import type { ErrorCode } from '../../helpers/errors/error-codes.js'

/** A problem of a worker. */
export interface HealthProblem {
  /** The error code of requests that fail because of it. */
  readonly code: ErrorCode
  /** For people: `No auth worker is connected`. */
  readonly message: string
  /** Whether the worker cannot serve at all. False: its service is degraded. */
  readonly blocks: boolean
}

/** A metric of a worker. */
export interface WorkerMetric {
  /** Camel case, without the role: `queueLength`. */
  readonly name: string
  /** One sentence. */
  readonly help: string
  /** A counter only grows. */
  readonly kind: 'gauge' | 'counter'
  readonly value: () => number
}

/** What a worker provides for its health checks and metrics. */
export interface WatchedWorker {
  /** Its current problems. */
  problems(): readonly HealthProblem[]
  /** The metrics of its role. */
  readonly metrics: readonly WorkerMetric[]
}

/** Whether requests may be sent to a worker, and why not. */
export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly Pick<HealthProblem, 'code' | 'message'>[]
  /** Problems that do not block. */
  readonly warnings: readonly Pick<HealthProblem, 'code' | 'message'>[]
}

/** The readiness of a worker with these problems. */
export function readinessOf(problems: readonly HealthProblem[]): Readiness {
  const those = (blocking: boolean) =>
    problems
      .filter(({ blocks }) => blocks === blocking)
      .map(({ code, message }) => ({ code, message }))
  const reasons = those(true)
  return { ready: reasons.length === 0, reasons, warnings: those(false) }
}
