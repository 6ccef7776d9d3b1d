import type { RosterEntry } from '../../../helpers/discovery/roster-entry.js'
import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { Role } from '../../../helpers/identity/roles.js'
import type { RequestOrigin } from '../../../helpers/protocol/envelope.js'
import type { EndedRequest, RequestObserver } from './request-observer.js'

/** A channel that a peer opened and that was rejected. The connection stays. */
export interface RefusedChannel {
  readonly peer: PeerIdentity
  /** The protocol that the peer named, of any length. */
  readonly protocol: string
  /** `not claimed`: the protocol is offered, but not on this connection, or not with this id. */
  readonly reason: 'not offered' | 'not allowed' | 'not claimed'
}

/** Observes the connections of a worker, and the requests on them. */
export interface ConnectionObserver extends RequestObserver {
  /** An incoming connection was refused: it was not authenticated, or there was no room for it. */
  onRefused?(error: unknown, publicKey: Uint8Array | null): void
  /** An authenticated peer opened a channel that this worker does not answer. */
  onChannelRefused?(channel: RefusedChannel): void
}

/** Observes the network of a worker: its log, its metrics and its statistics do. */
export interface NetworkObserver extends ConnectionObserver {
  /** A worker of a role that is looked for is connected. */
  onPeerConnected?(role: Role, peer: PeerIdentity): void
  /** A connection to such a worker has ended. */
  onPeerLost?(role: Role, peer: PeerIdentity): void
  /** A worker that was found could not be reached or authenticated. */
  onDialFailed?(role: Role, error: unknown, publicKey: Uint8Array): void
  /** This worker has become the holder of the machine's bootstrap port. */
  onBootstrapTaken?(port: number): void
  /** Others cannot find this worker, or, with null, can find it again. */
  onDiscoverable?(failure: StarlingError | null): void
  /** A newer roster was accepted. */
  onRoster?(entries: readonly RosterEntry[], sequence: number): void
  /** A roster was not accepted, or could not be stored. */
  onRosterFailure?(error: unknown): void
  /** The worker left before all its work was done. */
  onDrainTimeout?(timeoutMs: number): void
}

/** Passes each event to all observers, in the order in which they were added. */
export class NetworkObservers implements Required<NetworkObserver> {
  readonly #observers: NetworkObserver[] = []

  add(observer: NetworkObserver): void {
    this.#observers.push(observer)
  }

  onRequestBegun(kind: EndedRequest['kind']): void {
    for (const observer of this.#observers) observer.onRequestBegun?.(kind)
  }

  onRequestEnded(request: EndedRequest): void {
    for (const observer of this.#observers) observer.onRequestEnded?.(request)
  }

  onPeerConnected(role: Role, peer: PeerIdentity): void {
    for (const observer of this.#observers) observer.onPeerConnected?.(role, peer)
  }

  onPeerLost(role: Role, peer: PeerIdentity): void {
    for (const observer of this.#observers) observer.onPeerLost?.(role, peer)
  }

  onDialFailed(role: Role, error: unknown, publicKey: Uint8Array): void {
    for (const observer of this.#observers) observer.onDialFailed?.(role, error, publicKey)
  }

  onRefused(error: unknown, publicKey: Uint8Array | null): void {
    for (const observer of this.#observers) observer.onRefused?.(error, publicKey)
  }

  onChannelRefused(channel: RefusedChannel): void {
    for (const observer of this.#observers) observer.onChannelRefused?.(channel)
  }

  onInternalError(error: unknown, origin: RequestOrigin): void {
    for (const observer of this.#observers) observer.onInternalError?.(error, origin)
  }

  onBootstrapTaken(port: number): void {
    for (const observer of this.#observers) observer.onBootstrapTaken?.(port)
  }

  onDiscoverable(failure: StarlingError | null): void {
    for (const observer of this.#observers) observer.onDiscoverable?.(failure)
  }

  onRoster(entries: readonly RosterEntry[], sequence: number): void {
    for (const observer of this.#observers) observer.onRoster?.(entries, sequence)
  }

  onRosterFailure(error: unknown): void {
    for (const observer of this.#observers) observer.onRosterFailure?.(error)
  }

  onDrainTimeout(timeoutMs: number): void {
    for (const observer of this.#observers) observer.onDrainTimeout?.(timeoutMs)
  }
}
