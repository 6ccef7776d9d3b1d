import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { RosterEntry } from '../../helpers/roster/roster-entry.js'
import type { Clock } from '../clock/clock.js'
import type { Log } from '../log/log.js'
import type { ProvedPeer } from './hello.js'
import type { NetworkObserver } from './network-observer.js'
import { RefusalLog } from './refusal-log.js'
import type { RequestOrigin } from './request-context.js'
import type { EndedRequest } from './request-observer.js'

/**
 * Writes down what happens in a worker's network. One line for each request, when it has ended, with
 * its id; for what other workers ask every moment only where debugging is on, or the log would fill.
 */
export class NetworkLog implements NetworkObserver {
  readonly #log: Log
  readonly #refusals: RefusalLog

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#refusals = new RefusalLog(log, clock)
  }

  onRequestEnded(request: EndedRequest): void {
    const level = request.isPoll ? 'debug' : 'info'
    // A poll that is not written is not to cost anything either.
    if (!this.#log.isLevelEnabled(level)) return
    const { method, requestId, code, reason, peer, durationMs, chunks, firstChunkMs } = request
    const stream = request.kind === 'stream' ? { chunks, firstChunkMs: tenths(firstChunkMs) } : {}
    this.#log[level](
      { method, requestId, code, reason, durationMs: tenths(durationMs), peer, ...stream },
      'answered',
    )
  }

  onInternalError(err: unknown, { requestId }: RequestOrigin): void {
    this.#log.error({ err, requestId }, 'handler failed')
  }

  onPeerConnected(role: Role, { certificate }: ProvedPeer): void {
    this.#log.info({ role, peer: certificate.name }, 'connected')
  }

  onPeerLost(role: Role, { certificate }: ProvedPeer): void {
    this.#log.info({ role, peer: certificate.name }, 'lost')
  }

  onDialFailed(role: Role, err: unknown, publicKey: Uint8Array): void {
    this.#log.debug({ err, role, peer: keyName(publicKey) }, 'could not connect')
  }

  onRefused(err: unknown, publicKey: Uint8Array | null): void {
    this.#refusals.note(err, publicKey === null ? undefined : keyName(publicKey))
  }

  onBootstrapTaken(port: number): void {
    this.#log.info({ port }, 'holding the bootstrap port')
  }

  onDiscoverable(err: StarlingError | null): void {
    if (err === null) this.#log.info('discoverable again')
    else this.#log.warn({ err }, 'not discoverable')
  }

  onRoster(entries: readonly RosterEntry[], sequence: number): void {
    this.#log.debug({ sequence, workers: entries.length }, 'newer roster')
  }

  onRosterFailure(err: unknown): void {
    this.#log.warn({ err }, 'roster refused or not stored')
  }

  onDrainTimeout(drainTimeoutMs: number): void {
    this.#log.warn({ drainTimeoutMs }, 'left before all work was done')
  }

  /** Writes the number of refusals that have not been logged yet. */
  close(): void {
    this.#refusals.close()
  }
}

/** Milliseconds to one place: more is noise. */
function tenths(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.round(durationMs * 10) / 10
}

/** Enough of a public key to tell workers apart in a log. */
function keyName(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('hex').slice(0, 12)
}
