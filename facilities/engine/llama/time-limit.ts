import { createContext, Script } from 'node:vm'

/** Something that was ended because it took too long. */
export class TimeLimitPassed extends Error {
  constructor(timeoutMs: number) {
    super(`it did not finish within ${timeoutMs} ms`)
  }
}

const sandbox: { run: () => void } = { run: () => undefined }
const context = createContext(sandbox)
const script = new Script('run()')

/**
 * Runs something synchronous, and ends it where it stands when it takes too long: Node stops whatever is
 * called from a script that has a timeout. Takes about 0.1 ms more. Not to be used within itself.
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
  throw new Error('nothing was run')
}
