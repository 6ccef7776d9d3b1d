import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import { throwIfCancelled } from '../model-progress.js'
import { FetchFailure } from './remote-file.js'

/** A connection on which nothing came for this long is broken off. */
export const FETCH_STALL_TIMEOUT_MS = 30_000

/**
 * Waits for what a server is to send.
 *
 * @throws FetchFailure when it does not come in time; StarlingError CANCELLED; what the promise
 *   rejects with
 */
export async function unlessStalled<Result>(
  waiting: Promise<Result>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const deadline = new Deadline(clock, FETCH_STALL_TIMEOUT_MS, signal)
  try {
    return await deadline.race(waiting)
  } catch (cause) {
    throwIfCancelled(signal)
    if (!isStarlingError(cause, 'DEADLINE_EXCEEDED')) throw cause
    throw new FetchFailure(`nothing came for ${FETCH_STALL_TIMEOUT_MS / 1000} s`, { cause })
  } finally {
    deadline.dispose()
  }
}
