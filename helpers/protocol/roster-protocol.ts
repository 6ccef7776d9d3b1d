import { z } from 'zod'
import { rosterSchema } from '../discovery/signed-roster.js'
import { ANY_MEMBER, roles } from './call-policy.js'
import { unary } from './method.js'

const sequenceSchema = z.number().int().nonnegative()

/** How the roster of the mesh is made and handed over. */
export const rosterProtocol = {
  /**
   * The newest roster that a worker has; left out if it has none with a higher sequence. Every worker that
   * serves answers it. OVERLOADED if one caller asks too often.
   */
  newest: unary({
    name: 'worker.roster',
    request: z.strictObject({ newerThan: sequenceSchema }),
    response: z.strictObject({ roster: rosterSchema.optional() }),
    timeoutMs: 2_000,
    idempotent: true,
    isPoll: true,
    callers: ANY_MEMBER,
  }),
  /**
   * Lists the caller in the roster, as its certificate describes it. Auth answers it. OVERLOADED while the
   * roster is full.
   */
  enlist: unary({
    name: 'auth.enlist',
    request: z.strictObject({}),
    /** The sequence of the newest roster, which may not list the caller yet; 0 if there is none. */
    response: z.strictObject({ sequence: sequenceSchema }),
    timeoutMs: 2_000,
    idempotent: true,
    isPoll: true,
    callers: roles('gateway', 'processor'),
  }),
}
