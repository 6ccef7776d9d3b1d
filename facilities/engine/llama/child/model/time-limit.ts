import { createContext, Script } from 'node:vm'

/** An operation was ended because it took too long. */
export class TimeLimitPassed extends Error {
  constructor(timeoutMs: number) {
    super(`it did not finish within ${timeoutMs} ms`)
  }
}

const sandbox: { run: () => void } = { run: () => undefined }
const context = createContext(sandbox)
const script = new Script('run()')

/**
 * Runs a synchronous function and interrupts it if it takes too long: Node.js interrupts everything that is
 * called from a script with a timeout. It adds about 0.1 ms. Calls cannot be nested.
 *
 * @throws TimeLimitPassed; what the work throws
 */
export function withinTime<Result>(timeoutMs: number, work: () => Result): Result {
  const results: Result[] = []
  sandbox.run = () => void results.push(work())
  try {
    script.runInContext(context, { timeout: timeoutMs })
  } catch (error) {
    // It is an Error of the script's own context.
    const isTimeout = Object(error).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    throw isTimeout ? new TimeLimitPassed(timeoutMs) : error
  } finally {
    sandbox.run = () => undefined
  }
  for (const result of results) return result
  throw new Error('the function was not run')
}
