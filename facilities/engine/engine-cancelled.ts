import { StarlingError } from '../../helpers/errors/starling-error.js'

/** @param reason of the signal that was aborted */
export function cancelledError(reason: unknown): StarlingError {
  return new StarlingError('CANCELLED', 'The request was cancelled', { cause: reason })
}
