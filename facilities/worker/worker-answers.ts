import { publicMessage } from '../../helpers/errors/peer-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { type WorkerStats, workerProtocol } from '../../helpers/protocol/worker-protocol.js'
import type { Clock } from '../clock/clock.js'
import type { Service } from '../network/calls/service.js'
import type { HealthProblem } from './worker-health.js'

/**
 * Answers the calls that all roles answer: ping, info (with the problems of the worker) and stats, counted
 * from now on.
 *
 * @param options.problems asked for each time
 * @param options.stats all of the statistics but the time that the worker is up
 */
export function answerAboutWorker(
  service: Service,
  options: {
    role: Role
    identity: { readonly name: string }
    clock: Clock
    version: string
    problems: () => readonly HealthProblem[]
    stats: () => Omit<WorkerStats, 'uptimeMs'>
  },
): void {
  const { role, identity, clock, version, problems, stats } = options
  const startedAt = clock.monotonic()
  const uptimeMs = () => clock.monotonic() - startedAt
  service
    .unary(workerProtocol.ping, async () => ({}))
    .unary(workerProtocol.info, async () => ({
      role,
      name: identity.name,
      version,
      uptimeMs: uptimeMs(),
      ...publicly(problems()),
    }))
    .unary(workerProtocol.stats, async () => ({ uptimeMs: uptimeMs(), ...stats() }))
}

/** Empty if there are none. */
function publicly(problems: readonly HealthProblem[]): { problems?: HealthProblem[] } {
  if (problems.length === 0) return {}
  return {
    problems: problems.map(({ code, message, blocks }) => ({
      code,
      message: publicMessage(code, message),
      blocks,
    })),
  }
}
