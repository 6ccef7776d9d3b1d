import type HyperDHT from 'hyperdht'
import type { Clock } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'

/**
 * The most that may wait for a peer to take it. Streams wait for credit long before; this is for
 * whoever asks and asks and never reads an answer, which would gather here until memory is full.
 */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024

/**
 * Looks every `intervalMs` at how much waits on a connection, and calls `onExcess` once when it is
 * more than 64 MiB.
 *
 * @returns stops the looking
 */
export function limitUnsentBytes(
  stream: HyperDHT.SecretStream,
  options: { clock: Clock; intervalMs: number; onExcess: () => void },
): () => void {
  const timer = repeat(options.clock, options.intervalMs, () => {
    if (stream._writableState.buffered <= MAX_UNSENT_BYTES) return
    timer.cancel()
    options.onExcess()
  })
  return () => timer.cancel()
}
