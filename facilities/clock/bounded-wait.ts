import safetyCatch from 'safety-catch'
import type { Clock } from './clock.js'

/**
 * Waits for a promise until a signal is aborted. The promise is not cancelled; what becomes of it after the
 * abort is ignored.
 *
 * @param signal left out: waits without a limit
 * @param errorOf makes the error from the reason of the signal; default: the reason itself
 * @throws what the promise rejects with, or the error of the abort as soon as the signal is aborted
 */
export async function unlessAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
  errorOf: (reason: unknown) => unknown = (reason) => reason,
): Promise<Result> {
  if (signal === undefined) return await promise
  return await new Promise<Result>((resolve, reject) => {
    const onAbort = () => reject(errorOf(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** Waits until work has ended, well or badly, but at most `timeoutMs`. The work then goes on. */
export function endedWithin(
  timeoutMs: number,
  work: Promise<unknown>,
  clock: Pick<Clock, 'schedule'>,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.schedule(timeoutMs, resolve)
    work.catch(safetyCatch).finally(() => {
      timer.cancel()
      resolve()
    })
  })
}
