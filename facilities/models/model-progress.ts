import { StarlingError } from '../../helpers/errors/starling-error.js'

/** How far the preparation of a model has come. */
export interface ModelProgress {
  /** `waiting`: another process prepares the same model. */
  readonly phase:
    | 'waiting'
    | 'inspecting'
    | 'verifying'
    | 'fetching'
    | 'converting'
    | 'writing'
    | 'ready'
  /** Of this phase, 0 to 1; 0 throughout where the end is not known. */
  readonly fraction: number
  /** Something that the user should know, such as a damaged file that is made again. */
  readonly note?: string
  /** How fast it is fetched at the moment, where that is known. */
  readonly bytesPerSecond?: number
}

/** What the long steps of a preparation take. */
export interface PrepareOptions {
  readonly onProgress?: (progress: ModelProgress) => void
  /** Ends the work between two pieces of it; the conversion itself is one piece. */
  readonly signal?: AbortSignal
}

/** @throws StarlingError CANCELLED once the signal is aborted */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new StarlingError('CANCELLED', 'the preparation of the model was cancelled', {
      cause: signal.reason,
    })
  }
}
