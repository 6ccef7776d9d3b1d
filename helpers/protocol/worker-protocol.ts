import { z } from 'zod'
import { roleSchema } from '../identity/roles.js'
import { ANY_MEMBER } from './call-policy.js'
import { unary } from './method.js'

const countSchema = z.number().int().nonnegative()

const problemSchema = z.strictObject({
  /** The error code of requests that fail because of it. */
  code: z.string().max(64),
  /** Human-readable. Contains nothing internal. */
  message: z.string().max(2048),
  /** Whether no work may be sent to the worker because of it. */
  blocks: z.boolean(),
})

const workerInfoSchema = z.strictObject({
  role: roleSchema,
  name: z.string().max(100),
  version: z.string().max(50),
  uptimeMs: z.number().nonnegative(),
  /** What prevents the worker from doing all or some of its work; left out if nothing does. */
  problems: z.array(problemSchema).min(1).max(32).optional(),
})

const workloadSchema = z.strictObject({
  /** Ended since the worker started, with or without an error. */
  answered: countSchema,
  /** In progress. */
  underWay: countSchema,
})

const workerStatsSchema = z.strictObject({
  uptimeMs: z.number().nonnegative(),
  /** Unary calls. */
  calls: workloadSchema,
  streams: workloadSchema,
  /** Calls and streams that failed, by error code; codes that have not occurred are left out. */
  failures: z.record(z.string().max(64), countSchema),
  /** Incoming connections. */
  connections: z.strictObject({
    /** Both ends are authenticated. */
    proved: countSchema,
    /** The hello is not finished. */
    unverified: countSchema,
  }),
  /** Memory that the process holds. */
  rssBytes: countSchema,
  /** The 99th percentile of the delay of the event loop in the last minute or two. */
  eventLoopDelayP99Ms: z.number().nonnegative(),
  /** Metrics of this role only: `queueLength`. */
  metrics: z.record(z.string().max(64), z.number()),
})

export type WorkerInfo = z.infer<typeof workerInfoSchema>
export type WorkerStats = z.infer<typeof workerStatsSchema>

/** What these methods have in common. */
const QUESTION = {
  request: z.strictObject({}),
  timeoutMs: 2_000,
  idempotent: true,
  isPoll: true,
  whileDraining: true,
  callers: ANY_MEMBER,
} as const

/** What all workers answer. */
export const workerProtocol = {
  /** Whether the worker answers. */
  ping: unary({ ...QUESTION, name: 'worker.ping', response: z.strictObject({}) }),
  /** The identity and the uptime of the worker. */
  info: unary({ ...QUESTION, name: 'worker.info', response: workerInfoSchema }),
  /** The activity and the resource usage of the worker. */
  stats: unary({ ...QUESTION, name: 'worker.stats', response: workerStatsSchema }),
}
