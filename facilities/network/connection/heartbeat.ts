import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import type { Clock } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { ConnectionProtocol } from './protocol-registry.js'

/** The protomux protocol of heartbeats. */
const HEARTBEAT_PROTOCOL = 'starling/heartbeat'

/**
 * Checks for received bytes in each interval. With one check, the time until a peer counts as lost would vary by a
 * whole interval.
 */
const CHECKS_PER_INTERVAL = 4

/** Keeps the heartbeat of every connection, and ends those on which nothing arrives. */
export function heartbeatProtocol({
  clock,
  limits,
}: {
  clock: Clock
  limits: NetworkLimits
}): ConnectionProtocol {
  return {
    name: HEARTBEAT_PROTOCOL,
    mayOpen: () => true,
    attach: ({ mux }) => {
      const stop = startHeartbeat(mux, {
        clock,
        intervalMs: limits.heartbeatIntervalMs,
        missedLimit: limits.heartbeatMissedLimit,
        onSilence: () => mux.stream.destroy(),
      })
      mux.stream.once('close', stop)
    },
  }
}

/**
 * Sends a beat every `intervalMs` and calls `onSilence` once when nothing at all has arrived for
 * `missedLimit` intervals in a row, up to a quarter of one later: the transport itself notices a dead
 * peer only after 13 to 91 seconds. Silence is counted in our own checks, so that a process that was
 * blocked does not consider its peers lost. Every byte counts, also those of a large message on a slow
 * line.
 *
 * @returns stops the heartbeat
 */
export function startHeartbeat(
  mux: Protomux,
  options: { clock: Clock; intervalMs: number; missedLimit: number; onSilence: () => void },
): () => void {
  let checks = 0
  let silentChecks = 0
  let bytesSeen = 0
  const channel = mux.createChannel({ protocol: HEARTBEAT_PROTOCOL })
  if (channel === null) return () => undefined
  const beat = channel.addMessage({
    encoding: encodings.uint,
    onmessage: () => {
      silentChecks = 0
    },
  })
  channel.open()
  const timer = repeat(options.clock, options.intervalMs / CHECKS_PER_INTERVAL, () => {
    const bytesReceived = mux.stream.rawStream?.bytesReceived ?? 0
    if (bytesReceived !== bytesSeen) silentChecks = 0
    bytesSeen = bytesReceived
    silentChecks += 1
    if (silentChecks > options.missedLimit * CHECKS_PER_INTERVAL) {
      timer.cancel()
      options.onSilence()
      return
    }
    checks += 1
    if (checks % CHECKS_PER_INTERVAL === 0) beat.send(0)
  })
  return () => timer.cancel()
}
