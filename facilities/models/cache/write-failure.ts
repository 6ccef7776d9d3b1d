import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { freeBytes, isDiskFull } from '../../files/disk-failure.js'

/**
 * Does what writes a model to the disk.
 *
 * @param name of the model
 * @param place where it is written
 * @param sizeBytes that it takes, where that is known
 * @throws StarlingError MODEL_WRITE_FAILED for everything but a StarlingError
 */
export async function withWriteErrors<Result>(
  name: string,
  place: string,
  sizeBytes: number | undefined,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action()
  } catch (cause) {
    if (cause instanceof StarlingError) throw cause
    const size = sizeBytes === undefined ? '' : ` (${megabytes(sizeBytes)})`
    const reason = cause instanceof Error ? cause.message : String(cause)
    const free = isDiskFull(cause) ? freeBytes(place) : undefined
    const room = free === undefined ? '' : `; ${Math.floor(free / 1e6)} MB are free`
    throw new StarlingError(
      'MODEL_WRITE_FAILED',
      `the model ${name} cannot be written to ${place}${size}: ${reason}${room}`,
      { cause },
    )
  }
}

/** `28 MB`, rounded up. */
export function megabytes(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / 1e6)} MB`
}
