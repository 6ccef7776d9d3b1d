import { z } from 'zod'
import { ROLES } from '../identity/roles.js'
import { unary } from './method.js'

const countSchema = z.number().int().nonnegative()

const problemSchema = z.strictObject({
  /** An error code: what a request fails with because of it. */
  code: z.string().max(64),
  /** For people. Contains nothing internal. */
  message: z.string().max(2048),
  /** Whether no work may be sent to the worker because of it. */
  blocks: z.boolean(),
})

const workerInfoSchema = z.strictObject({
  role: z.enum(ROLES),
  name: z.string().max(100),
  version: z.string().max(50),
  uptimeMs: z.number().nonnegative(),
  /** What prevents the worker from doing all or some of its work; left out if nothing does. */
  problems: z.array(problemSchema).min(1).max(32).optional(),
})

const workloadSchema = z.strictObject({
  /** Ended since the worker started, with or without an error. */
  answered: countSchema,
  /** Begun and not ended. */
  underWay: countSchema,
})

const workerStatsSchema = z.strictObject({
  uptimeMs: z.number().nonnegative(),
  /** Unary calls. */
  calls: workloadSchema,
  streams: workloadSchema,
  /** Calls and streams that ended badly, by error code; codes that have not occurred are left out. */
  failures: z.record(z.string().max(64), countSchema),
  /** Connections that others opened to this worker. */
  connections: z.strictObject({
    /** Both ends have proved who they are. */
    proved: countSchema,
    /** The hello is under way. */
    unverified: countSchema,
  }),
  /** Memory that the process holds. */
  rssBytes: countSchema,
  /** How late the event loop was, 99 times of 100, in the last minute or two. */
  eventLoopDelayP99Ms: z.number().nonnegative(),
  /** Numbers that only this role has: `queueLength`. */
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
  callers: ROLES,
} as const

/** What all workers answer. */
export const workerProtocol = {
  /** Whether the worker answers. */
  ping: unary({ ...QUESTION, name: 'worker.ping', response: z.strictObject({}) }),
  /** The identity and the uptime of the worker. */
  info: unary({ ...QUESTION, name: 'worker.info', response: workerInfoSchema }),
  /** What the worker has done and what it uses. */
  stats: unary({ ...QUESTION, name: 'worker.stats', response: workerStatsSchema }),
}
