import type { Clock, Timer } from './clock.js'

/**
 * Runs `action` every `intervalMs` until cancelled. The next run is scheduled when the last one has
 * ended, so a slow action never overlaps itself. `action` handles its own errors.
 */
export function repeat(
  clock: Clock,
  intervalMs: number,
  action: () => void | Promise<void>,
): Timer {
  let cancelled = false
  let timer: Timer | undefined
  const next = () => {
    timer = clock.schedule(intervalMs, () => void run())
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
