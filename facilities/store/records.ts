import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Entry, RecordEvent, RecordRange, Revision } from '../../helpers/store/record.js'
import type { BatchResult, RecordBatch } from '../../helpers/store/record-batch.js'

/** Why records cannot be used as they should be. */
export interface RecordsProblem {
  readonly code: ErrorCode
  readonly message: string
  /** Whether batches fail. */
  readonly blocks: boolean
}

/**
 * JSON records by key. What is read is on disk, and so is everything that was answered. Methods throw StarlingError
 * DRAINING when the records are being closed, and DISK_FULL, DISK_FAILED or STORE_DAMAGED when they cannot be used.
 */
export interface Records {
  /** Why batches fail; null if they do not. */
  readonly failure: StarlingError | null

  /** What is wrong with them now. */
  problems(): readonly RecordsProblem[]

  /** The newest revision. */
  revision(): Promise<Revision>

  /** @throws StarlingError INVALID_REQUEST or PAYLOAD_TOO_LARGE for a key that no record can have */
  get(key: string): Promise<Entry | undefined>

  /**
   * The records of a range in the order of their keys. Each is what it was at some time after the scan began: to
   * know all of them and to stay informed, get the newest revision, scan, and follow since that revision.
   *
   * @param options.limit the most entries. Default: no limit
   */
  scan(range: RecordRange, options?: { readonly limit?: number }): AsyncIterable<Entry>

  /**
   * Makes all changes if all conditions hold, else none. It is on disk when this resolves, and so is what
   * contradicts a condition.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE, INVALID_REQUEST; OVERLOADED if too many wait; DISK_FULL or DISK_FAILED:
   *   if the batch was accepted before, it is unknown whether it was made
   */
  batch(batch: RecordBatch): Promise<BatchResult>

  /**
   * All changes after a revision, in the order in which they were made, and then further ones once they are on disk.
   * Ends when the signal is aborted, or with `cut` if the history since that revision is not there any more.
   */
  follow(since: Revision, signal: AbortSignal): AsyncIterable<RecordEvent>
}
