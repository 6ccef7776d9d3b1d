import { createHash } from 'node:crypto'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { shownAddress } from '../../../helpers/http/fetch-address.js'
import { retryDelayMs } from '../../../helpers/routing/retry-delay.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import { type ModelStorage, megabytes, withWriteErrors } from '../model-storage.js'
import { FetchReport } from './fetch-report.js'
import { PartialFile } from './partial-file.js'
import {
  type Fetch,
  FetchFailure,
  type Hub,
  openRemoteFile,
  type RemoteAnswer,
  unlessStalled,
} from './remote-file.js'

/** Failures in a row without progress after which a download is given up. */
export const MAX_FETCH_FAILURES = 5

/** No model file is larger. A server cannot fill the disk with other data. */
export const MAX_FETCHED_BYTES = 1_099_511_627_776

/** Less than this between two failures is not progress. */
const GAINED_BYTES = 1024 * 1024

/** The longest pause between two attempts, even if the server asks for a longer one. */
const MAX_RETRY_DELAY_MS = 30_000
const RETRY_DELAYS = { firstMs: 500, mostMs: MAX_RETRY_DELAY_MS }

/** What to fetch and where to store it. */
export interface DownloadOptions {
  readonly storage: ModelStorage
  readonly clock: Clock
  readonly random: Random
  readonly fetch: Fetch
  /** A URL that may be fetched. */
  readonly url: string
  /** The name of the file in the storage. */
  readonly fileName: string
  /** The name and the origin of the model, for messages and the journal. */
  readonly name: string
  readonly source: string
  /** The expected hash, if the model reference has one. */
  readonly expectedSha256?: string | undefined
  /** The model hub of the URL, if any. */
  readonly hub?: Hub | undefined
}

/**
 * Fetches one model file. Fetched data is kept if the connection, the process or the machine fails, and the
 * next download of the same URL resumes there. The caller makes sure that only one download at a time writes
 * a file.
 */
export class Download {
  readonly #options: DownloadOptions
  readonly #shownAddress: string

  constructor(options: DownloadOptions) {
    this.#options = options
    this.#shownAddress = shownAddress(new URL(options.url))
  }

  /**
   * Progress is of the phases `verifying` (data of an earlier download) and `fetching`.
   *
   * @returns the size and hash of the file, which is then complete and durable in the storage
   * @throws StarlingError MODEL_UNREACHABLE; MODEL_NOT_FOUND if the server refuses; MODEL_INVALID if it is
   *   not the expected file (none of it is kept); MODEL_WRITE_FAILED; CANCELLED
   */
  async run(prepare: PrepareOptions): Promise<{ sizeBytes: number; sha256: string }> {
    const { url, storage, random, fileName, name, source, expectedSha256 } = this.#options
    const address = createHash('sha256').update(url).digest('hex')
    const identity = { storage, random, fileName, name, source, address, expectedSha256 }
    const partial = await this.#stored(undefined, () => PartialFile.open(identity, prepare))
    try {
      await this.#fetchAll(partial, prepare)
      return await this.#finish(partial)
    } catch (error) {
      await this.#keep(partial)
      throw error
    } finally {
      await partial.close()
    }
  }

  async #fetchAll(partial: PartialFile, prepare: PrepareOptions): Promise<void> {
    const report = new FetchReport(this.#options.clock, partial, prepare)
    let failures = 0
    let gainedBytes = partial.sizeBytes
    while (!partial.isWhole) {
      throwIfCancelled(prepare.signal)
      try {
        await this.#attempt(partial, report, prepare.signal)
      } catch (failure) {
        if (!(failure instanceof FetchFailure)) throw failure
        if (partial.sizeBytes >= gainedBytes + GAINED_BYTES) failures = 0
        gainedBytes = Math.max(gainedBytes, partial.sizeBytes)
        failures += 1
        if (failures === MAX_FETCH_FAILURES) throw this.#unreachable(partial, failure)
        report.note(`${failure.message}; trying again`)
        await this.#waitAfter(failure, failures, prepare.signal)
      }
    }
  }

  async #attempt(
    partial: PartialFile,
    report: FetchReport,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { fetch, url, hub, clock } = this.#options
    const controller = new AbortController()
    let answer: RemoteAnswer | undefined
    if (!partial.isContinuable) await this.#stored(undefined, () => partial.reset())
    try {
      answer = await unlessStalled(
        openRemoteFile({
          url,
          offset: partial.sizeBytes,
          condition: partial.condition,
          hub,
          signal: controller.signal,
          fetch,
          nowMs: clock.now(),
        }),
        clock,
        signal,
      )
      await this.#accept(partial, answer, report)
      await this.#receive(partial, answer, report, signal)
    } finally {
      controller.abort()
      // The connection is not used any more.
      answer?.body?.cancel().catch(() => undefined)
    }
  }

  /** Resumes the file if the answer continues it; otherwise starts again. */
  async #accept(partial: PartialFile, answer: RemoteAnswer, report: FetchReport): Promise<void> {
    const { expectedSha256 } = this.#options
    if (expectedSha256 !== undefined && answer.sha256 !== undefined) {
      if (answer.sha256 !== expectedSha256) {
        throw this.#invalid(`has the SHA-256 ${answer.sha256} instead of ${expectedSha256}`)
      }
    }
    if (partial.isContinuedBy(answer)) {
      await this.#checkRoom((partial.totalBytes ?? answer.totalBytes ?? 0) - partial.sizeBytes)
      return
    }
    if (partial.sizeBytes > 0) {
      await this.#stored(undefined, () => partial.reset())
      report.note(`${this.#shownAddress} has changed, or is not sent in parts: starting again`)
    }
    if (answer.kind !== 'whole') {
      throw new FetchFailure(`${this.#shownAddress} did not send the requested range`)
    }
    const { totalBytes } = answer
    if (totalBytes !== undefined && totalBytes > MAX_FETCHED_BYTES) throw this.#tooLarge()
    await this.#checkRoom(totalBytes ?? 0)
    await this.#stored(totalBytes, () => partial.begin(answer))
  }

  async #receive(
    partial: PartialFile,
    answer: RemoteAnswer,
    report: FetchReport,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const total = partial.totalBytes
    report.add(0)
    for (;;) {
      const { value } = await unlessStalled(readChunk(answer), this.#options.clock, signal)
      if (value === undefined) break
      if (total !== undefined && partial.sizeBytes + value.length > total) {
        throw new FetchFailure(`${this.#shownAddress} sends more than the announced ${total} bytes`)
      }
      if (partial.sizeBytes + value.length > MAX_FETCHED_BYTES) throw this.#tooLarge()
      await this.#stored(total, () => partial.append(value))
      if (partial.isGguf === false) {
        await this.#stored(total, () => partial.discard())
        throw this.#invalid('is not a GGUF file')
      }
      report.add(value.length)
    }
    if (total === undefined) await this.#stored(total, () => partial.endHere())
    else if (partial.sizeBytes < total) {
      const { sizeBytes } = partial
      throw new FetchFailure(`${this.#shownAddress} ended after ${sizeBytes} of ${total} bytes`)
    }
  }

  async #finish(partial: PartialFile): Promise<{ sizeBytes: number; sha256: string }> {
    const { sizeBytes, expectedSha256 } = partial
    const sha256 = partial.sha256()
    const isRight = expectedSha256 === undefined || sha256 === expectedSha256
    if (isRight && partial.isGguf === true) {
      await this.#stored(sizeBytes, () => partial.finish())
      return { sizeBytes, sha256 }
    }
    await this.#stored(sizeBytes, () => partial.discard())
    throw this.#invalid(
      isRight ? 'is not a GGUF file' : `has the SHA-256 ${sha256} instead of ${expectedSha256}`,
    )
  }

  /** After a failure: makes the fetched data durable for the next download. */
  async #keep(partial: PartialFile): Promise<void> {
    try {
      await partial.checkpoint()
    } catch {
      // The failure to report is the first one; at worst, more data is fetched again.
    }
  }

  async #checkRoom(neededBytes: number): Promise<void> {
    const { storage, name } = this.#options
    const freeBytes = await storage.freeBytes()
    if (freeBytes === undefined || neededBytes <= freeBytes) return
    throw new StarlingError(
      'MODEL_WRITE_FAILED',
      `the model ${name} needs ${megabytes(neededBytes)}, but ${storage.place} has only ` +
        `${megabytes(freeBytes)} free: ${megabytes(neededBytes - freeBytes)} are missing`,
    )
  }

  async #waitAfter(
    failure: FetchFailure,
    failures: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { clock, random } = this.#options
    const { retryAfterMs } = failure
    const namedMs = retryAfterMs && Math.min(retryAfterMs, MAX_RETRY_DELAY_MS)
    const delayMs = retryDelayMs(RETRY_DELAYS, failures, random.fraction(), namedMs)
    try {
      await clock.sleep(delayMs, signal)
    } catch (error) {
      throwIfCancelled(signal)
      throw error
    }
  }

  async #stored<Result>(
    sizeBytes: number | undefined,
    action: () => Promise<Result>,
  ): Promise<Result> {
    const { name, storage } = this.#options
    return await withWriteErrors(name, storage.place, sizeBytes, action)
  }

  #unreachable({ sizeBytes, totalBytes }: PartialFile, failure: FetchFailure): StarlingError {
    const of = totalBytes === undefined ? '' : ` of ${megabytes(totalBytes)}`
    const there = sizeBytes === 0 ? '' : `; ${megabytes(sizeBytes)}${of} are kept`
    return new StarlingError(
      'MODEL_UNREACHABLE',
      `the model ${this.#options.name} cannot be fetched: ${failure.message}${there}`,
      { cause: failure },
    )
  }

  #tooLarge(): StarlingError {
    return this.#invalid(`is larger than ${megabytes(MAX_FETCHED_BYTES)}`)
  }

  #invalid(what: string): StarlingError {
    const { name } = this.#options
    return new StarlingError('MODEL_INVALID', `the model ${name}: ${this.#shownAddress} ${what}`)
  }
}

/** The next chunk of the file; undefined at its end. */
async function readChunk({ body }: RemoteAnswer): Promise<{ value: Uint8Array | undefined }> {
  if (body === undefined) return { value: undefined }
  try {
    const { done, value } = await body.read()
    return { value: done ? undefined : value }
  } catch (cause) {
    const below = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    const reason = below instanceof Error ? below.message : String(below)
    throw new FetchFailure(`the connection was lost: ${reason}`, { cause })
  }
}
