import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import type { Clock } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'

/** The protomux protocol of the channel that heartbeats travel on. */
export const HEARTBEAT_PROTOCOL = 'starling/heartbeat'

/**
 * Sends a beat every `intervalMs` and calls `onSilence` once when nothing at all has arrived for
 * `missedLimit` intervals in a row: the transport itself notices a dead peer only after 13 to 91
 * seconds. Silence is counted in our own ticks, so a process that was itself held up does not take
 * its peers for dead; any byte counts as life, so a large message on a slow line is no silence.
 *
 * @returns stops the beating
 */
export function startHeartbeat(
  mux: Protomux,
  options: { clock: Clock; intervalMs: number; missedLimit: number; onSilence: () => void },
): () => void {
  let missed = 0
  let bytesSeen = 0
  const channel = mux.createChannel({ protocol: HEARTBEAT_PROTOCOL })
  if (channel === null) return () => undefined
  const beat = channel.addMessage({
    encoding: encodings.uint,
    onmessage: () => {
      missed = 0
    },
  })
  channel.open()
  const timer = repeat(options.clock, options.intervalMs, () => {
    const bytesReceived = mux.stream.rawStream?.bytesReceived ?? 0
    if (bytesReceived !== bytesSeen) missed = 0
    bytesSeen = bytesReceived
    missed += 1
    if (missed > options.missedLimit) {
      timer.cancel()
      options.onSilence()
      return
    }
    beat.send(0)
  })
  return () => timer.cancel()
}
