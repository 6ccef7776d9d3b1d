import safetyCatch from 'safety-catch'
import type { Clock } from '../../clock/clock.js'

/** With a DHT that answers, taking a record back takes milliseconds; one that does not is not waited for. */
const LEAVING_TIMEOUT_MS = 250

/**
 * Waits for something that a worker does for others when it leaves, but not for long: a DHT that is
 * gone itself would hold every shutdown up for seconds. What is not finished goes on or fails unheard.
 */
export function leavePolitely(leaving: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.schedule(LEAVING_TIMEOUT_MS, resolve)
    leaving.catch(safetyCatch).finally(() => {
      timer.cancel()
      resolve()
    })
  })
}
