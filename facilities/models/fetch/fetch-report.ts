import type { Clock } from '../../clock/clock.js'
import type { ModelProgress, PrepareOptions } from '../model-progress.js'

/** The period over which the rate is measured. */
const RATE_WINDOW_MS = 1000

/** The minimum time between two reports: there are thousands of chunks. */
const REPORT_INTERVAL_MS = 100

/** The progress of a download. */
export interface FetchedSoFar {
  readonly sizeBytes: number
  /** Undefined if it is unknown. */
  readonly totalBytes: number | undefined
}

/** Reports the progress and the rate of a download. */
export class FetchReport {
  readonly #clock: Clock
  readonly #fetched: FetchedSoFar
  readonly #onProgress: PrepareOptions['onProgress']
  #nextReportAt = Number.NEGATIVE_INFINITY
  #windowBegan: number
  #windowBytes = 0
  #bytesPerSecond: number | undefined

  constructor(clock: Clock, fetched: FetchedSoFar, { onProgress }: PrepareOptions) {
    this.#clock = clock
    this.#fetched = fetched
    this.#onProgress = onProgress
    this.#windowBegan = clock.monotonic()
  }

  /** Counts bytes that have arrived. */
  add(sizeBytes: number): void {
    const now = this.#clock.monotonic()
    this.#measure(sizeBytes, now)
    const isDone = this.#fetched.sizeBytes === this.#fetched.totalBytes
    if (now < this.#nextReportAt && !isDone) return
    this.#nextReportAt = now + REPORT_INTERVAL_MS
    this.#report(this.#bytesPerSecond === undefined ? {} : { bytesPerSecond: this.#bytesPerSecond })
  }

  /** Reports a note for the user. */
  note(note: string): void {
    this.#report({ note })
  }

  #measure(sizeBytes: number, now: number): void {
    this.#windowBytes += sizeBytes
    const elapsedMs = now - this.#windowBegan
    if (elapsedMs < RATE_WINDOW_MS) return
    this.#bytesPerSecond = Math.round((this.#windowBytes * 1000) / elapsedMs)
    this.#windowBegan = now
    this.#windowBytes = 0
  }

  #report(more: Partial<ModelProgress>): void {
    const { sizeBytes, totalBytes } = this.#fetched
    const fraction = totalBytes ? sizeBytes / totalBytes : 0
    this.#onProgress?.({ phase: 'fetching', fraction, ...more })
  }
}
