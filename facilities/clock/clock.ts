/**
 * The time. Passed as an argument, so that a test or a simulation can control it.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for signed documents and logs. */
  now(): number
  /** Milliseconds since an arbitrary point that never go back, for durations. */
  monotonic(): number
  /**
   * Calls `action` once, `delayMs` from now.
   *
   * @returns a handle whose `cancel` stops the call and may be used any number of times
   */
  schedule(delayMs: number, action: () => void): Timer
  /**
   * Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted.
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** A call that was scheduled and can still be stopped. */
export interface Timer {
  cancel(): void
}
