import type { Role } from '../../helpers/identity/roles.js'
import { type WorkerStats, workerProtocol } from '../../helpers/protocol/worker-protocol.js'
import type { Clock } from '../clock/clock.js'
import type { Service } from '../network/service.js'

/**
 * Answers what every worker answers, whatever its role: that it is there, who it is, and what it has
 * done since now.
 *
 * @param options.stats all of the statistics but the time that the worker is up
 */
export function answerAboutWorker(
  service: Service,
  options: {
    role: Role
    identity: { readonly name: string }
    clock: Clock
    version: string
    stats: () => Omit<WorkerStats, 'uptimeMs'>
  },
): void {
  const { role, identity, clock, version, stats } = options
  const startedAt = clock.monotonic()
  const uptimeMs = () => clock.monotonic() - startedAt
  service
    .unary(workerProtocol.ping, async () => ({}))
    .unary(workerProtocol.info, async () => ({
      role,
      name: identity.name,
      version,
      uptimeMs: uptimeMs(),
    }))
    .unary(workerProtocol.stats, async () => ({ uptimeMs: uptimeMs(), ...stats() }))
}
