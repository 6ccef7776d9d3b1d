import type { Clock, Timer } from './clock.js'

/**
 * Runs `action` every `intervalMs` until cancelled. The next run is scheduled when the last one has
 * ended, so a slow action never overlaps itself. `action` handles its own errors.
 *
 * @param intervalMs a function is called before each run, for intervals of different lengths
 */
export function repeat(
  clock: Clock,
  intervalMs: number | (() => number),
  action: () => void | Promise<void>,
): Timer {
  let cancelled = false
  let timer: Timer | undefined
  const next = () => {
    const delayMs = typeof intervalMs === 'number' ? intervalMs : intervalMs()
    timer = clock.schedule(delayMs, () => void run())
  }
  const run = async () => {
    await action()
    if (!cancelled) next()
  }
  next()
  return {
    cancel() {
      cancelled = true
      timer?.cancel()
    },
  }
}
