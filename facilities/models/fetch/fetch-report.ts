import type { Clock } from '../../clock/clock.js'
import type { ModelProgress, PrepareOptions } from '../model-progress.js'

/** Over how long the rate is measured. */
const RATE_WINDOW_MS = 1000

/** Between two reports, at least: there are thousands of pieces. */
const REPORT_INTERVAL_MS = 100

/** How much of something is there. */
export interface FetchedSoFar {
  readonly sizeBytes: number
  /** Undefined when it is not known. */
  readonly totalBytes: number | undefined
}

/** Tells how far a download is, and how fast it goes at the moment. */
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

  /** That so many bytes more are there. */
  add(sizeBytes: number): void {
    const now = this.#clock.monotonic()
    this.#measure(sizeBytes, now)
    const isDone = this.#fetched.sizeBytes === this.#fetched.totalBytes
    if (now < this.#nextReportAt && !isDone) return
    this.#nextReportAt = now + REPORT_INTERVAL_MS
    this.#report(this.#bytesPerSecond === undefined ? {} : { bytesPerSecond: this.#bytesPerSecond })
  }

  /** Something that the user should know. */
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
