import { StarlingError } from '../../helpers/errors/starling-error.js'

/** @param reason of the signal that was aborted */
export function cancelledError(reason: unknown): StarlingError {
  return new StarlingError('CANCELLED', 'The request was cancelled', { cause: reason })
}

/**
 * Waits for something, but no longer than the signal lets it.
 *
 * @throws StarlingError CANCELLED as soon as the signal is aborted
 */
export async function unlessCancelled<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return await new Promise<Result>((resolve, reject) => {
    const onAbort = () => reject(cancelledError(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
