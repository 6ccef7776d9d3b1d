import { workerProtocol } from '../../helpers/protocol/worker-protocol.js'
import type { Service } from '../network/service.js'
import type { WorkerHost } from './worker-host.js'

/** Answers what every worker answers: who it is and how long it has been up. */
export function answerInfo(
  service: Service,
  { role, identity, clock }: WorkerHost,
  version: string,
): void {
  const startedAt = clock.monotonic()
  service.unary(workerProtocol.info, async () => ({
    role,
    name: identity.name,
    version,
    uptimeMs: clock.monotonic() - startedAt,
  }))
}
