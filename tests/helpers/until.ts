import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until `condition` returns something truthy, and returns that. Polls, first as often as the
 * event loop turns, then every 2 ms.
 *
 * @param what names the condition in the error
 * @throws Error when it does not come true within `timeoutMs`
 */
export async function until<T>(
  what: string,
  condition: () => T,
  timeoutMs = 5_000,
): Promise<NonNullable<T>> {
  const endsAt = performance.now() + timeoutMs
  for (let turn = 0; ; turn += 1) {
    const value = condition()
    if (value) return value
    if (performance.now() > endsAt) throw new Error(`Not within ${timeoutMs} ms: ${what}`)
    await (turn < 100 ? turnEventLoop() : sleep(2))
  }
}

/**
 * Retries until an action succeeds, and returns its result.
 *
 * @param what names the awaited result in the error
 * @throws Error when it still fails after `timeoutMs`, with the last failure as its cause
 */
export async function untilItWorks<T>(
  what: string,
  action: () => Promise<T>,
  timeoutMs = 5_000,
): Promise<T> {
  const endsAt = performance.now() + timeoutMs
  for (;;) {
    try {
      return await action()
    } catch (cause) {
      if (performance.now() > endsAt) {
        throw new Error(`Not within ${timeoutMs} ms: ${what} (${cause})`, { cause })
      }
      await sleep(20)
    }
  }
}

/** Waits for `turns` rounds of the event loop: enough to settle what needs no network. */
export async function settle(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await turnEventLoop()
}

/** The StarlingError (or other reason) that a promise rejected with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('The promise was expected to reject')
}

function turnEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
