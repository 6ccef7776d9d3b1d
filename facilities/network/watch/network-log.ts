import type { RosterEntry } from '../../../helpers/discovery/roster-entry.js'
import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import { isStarlingError, type StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { Role } from '../../../helpers/identity/roles.js'
import type { RequestOrigin } from '../../../helpers/protocol/envelope.js'
import type { Clock } from '../../clock/clock.js'
import type { Log } from '../../log/log.js'
import { LimitedLines } from './limited-lines.js'
import type { NetworkObserver, RefusedChannel } from './network-observer.js'
import type { EndedRequest } from './request-observer.js'

/** The codes of requests that are refused for a limit. A peer can repeat such a request at no cost. */
const LIMIT_CODES: readonly (ErrorCode | 'OK')[] = ['RATE_LIMITED', 'OVERLOADED']

/** One source for all strangers, who can change their keys and ports. */
const STRANGERS = 'strangers'

/** The part of a protocol name that is logged: a peer chooses it, up to the size of a frame. */
const LOGGED_CHARACTERS = 64

const UNLISTED = 'refused more, not listed'

/**
 * Logs the events in the network of a worker. Each request has one line with its id when it has ended.
 * Periodic requests of other workers are only logged at the debug level. Of the connections of
 * strangers that are refused, of the requests of each peer that are refused for a limit, and of the channels
 * of each peer that are refused, only the first few in a minute get their own line.
 */
export class NetworkLog implements NetworkObserver {
  readonly #log: Log
  readonly #refusedStrangers: LimitedLines
  readonly #refusedRequests: LimitedLines
  readonly #refusedChannels: LimitedLines

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#refusedStrangers = new LimitedLines(clock, ({ count, codes }) =>
      log.warn({ count, codes }, UNLISTED),
    )
    const byPeer = () =>
      new LimitedLines(clock, ({ source, count, codes }) =>
        log.info({ peer: source, count, codes }, UNLISTED),
      )
    this.#refusedRequests = byPeer()
    this.#refusedChannels = byPeer()
  }

  onRequestEnded(request: EndedRequest): void {
    const level = request.isPoll ? 'debug' : 'info'
    // Periodic requests that are not logged should cost nothing.
    if (!this.#log.isLevelEnabled(level)) return
    const { method, requestId, code, reason, peer, durationMs, chunks, firstChunkMs } = request
    if (LIMIT_CODES.includes(code) && !this.#refusedRequests.admits(peer, code)) return
    const stream = request.kind === 'stream' ? { chunks, firstChunkMs: tenths(firstChunkMs) } : {}
    this.#log[level](
      { method, requestId, code, reason, durationMs: tenths(durationMs), peer, ...stream },
      'answered',
    )
  }

  onInternalError(err: unknown, { requestId }: RequestOrigin): void {
    this.#log.error({ err, requestId }, 'handler failed')
  }

  onPeerConnected(role: Role, { certificate }: PeerIdentity): void {
    this.#log.info({ role, peer: certificate.name }, 'connected')
  }

  onPeerLost(role: Role, { certificate }: PeerIdentity): void {
    this.#log.info({ role, peer: certificate.name }, 'lost')
  }

  onDialFailed(role: Role, err: unknown, publicKey: Uint8Array): void {
    this.#log.debug({ err, role, peer: keyName(publicKey) }, 'could not connect')
  }

  onRefused(err: unknown, publicKey: Uint8Array | null): void {
    const code = isStarlingError(err) ? err.code : 'INTERNAL'
    if (!this.#refusedStrangers.admits(STRANGERS, code)) return
    this.#log.warn({ err, from: publicKey === null ? undefined : keyName(publicKey) }, 'refused')
  }

  onChannelRefused({ peer, protocol, reason }: RefusedChannel): void {
    const { name } = peer.certificate
    if (!this.#refusedChannels.admits(name, reason)) return
    const named = protocol.slice(0, LOGGED_CHARACTERS)
    this.#log.info({ peer: name, protocol: named, reason }, 'channel refused')
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
    this.#refusedStrangers.close()
    this.#refusedRequests.close()
    this.#refusedChannels.close()
  }
}

/** Rounds milliseconds to one decimal. */
function tenths(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.round(durationMs * 10) / 10
}

/** The first digits of a public key, which identify a worker in a log. */
function keyName(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('hex').slice(0, 12)
}
