import { z } from 'zod'
import { ROLES } from '../identity/roles.js'
import { unary } from './method.js'

const workerInfoSchema = z.strictObject({
  role: z.enum(ROLES),
  name: z.string().max(100),
  version: z.string().max(50),
  uptimeMs: z.number().nonnegative(),
})

export type WorkerInfo = z.infer<typeof workerInfoSchema>

/** What every worker answers, whatever its role. */
export const workerProtocol = {
  /** Who this worker is and how long it has been up. */
  info: unary({
    name: 'worker.info',
    request: z.strictObject({}),
    response: workerInfoSchema,
    timeoutMs: 2_000,
    idempotent: true,
    whileDraining: true,
    callers: ROLES,
  }),
}
