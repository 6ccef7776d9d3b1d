import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import type { Clock } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** The protomux protocol of the channel that heartbeats travel on. */
export const HEARTBEAT_PROTOCOL = 'starling/heartbeat'

/**
 * Looks for a sign of life in an interval. With one look alone, a peer that died right after it would
 * be missed a whole interval later than one that died right before it.
 */
const LOOKS_PER_INTERVAL = 4

/**
 * Sends a beat every `intervalMs` and calls `onSilence` once when nothing at all has arrived for
 * `missedLimit` intervals in a row, at most a quarter of one later: the transport itself notices a
 * dead peer only after 13 to 91 seconds. Silence is counted in our own looks, so a process that was
 * itself held up does not take its peers for dead; any byte counts as life, so a large message on a
 * slow line is no silence.
 *
 * @returns stops the beating
 */
export function startHeartbeat(
  mux: Protomux,
  options: { clock: Clock; intervalMs: number; missedLimit: number; onSilence: () => void },
): () => void {
  let looks = 0
  let silentLooks = 0
  let bytesSeen = 0
  const channel = mux.createChannel({ protocol: HEARTBEAT_PROTOCOL })
  if (channel === null) return () => undefined
  const beat = channel.addMessage({
    encoding: encodings.uint,
    onmessage: () => {
      silentLooks = 0
    },
  })
  channel.open()
  const timer = repeat(options.clock, options.intervalMs / LOOKS_PER_INTERVAL, () => {
    const bytesReceived = mux.stream.rawStream?.bytesReceived ?? 0
    if (bytesReceived !== bytesSeen) silentLooks = 0
    bytesSeen = bytesReceived
    silentLooks += 1
    if (silentLooks > options.missedLimit * LOOKS_PER_INTERVAL) {
      timer.cancel()
      options.onSilence()
      return
    }
    looks += 1
    if (looks % LOOKS_PER_INTERVAL === 0) beat.send(0)
  })
  return () => timer.cancel()
}
