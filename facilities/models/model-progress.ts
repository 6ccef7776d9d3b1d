import { StarlingError } from '../../helpers/errors/starling-error.js'

/** The progress of the preparation of a model. */
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
  /** Of this phase, from 0 to 1; always 0 if the end is unknown. */
  readonly fraction: number
  /** A note for the user, for example that a damaged file is prepared again. */
  readonly note?: string
  /** The current download rate, if it is known. */
  readonly bytesPerSecond?: number
}

/** The options of the long steps of a preparation. */
export interface PrepareOptions {
  readonly onProgress?: (progress: ModelProgress) => void
  /** Checked between the steps of the work. The conversion itself is one step. */
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
