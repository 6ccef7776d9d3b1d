import { ERROR_CODES } from '../../helpers/errors/error-codes.js'
import { isStarlingError, type StarlingError } from '../../helpers/errors/starling-error.js'
import { tellParent, whenParentGone } from './parent.js'
import { ResourceStack } from './resource-stack.js'

/** Exit codes of every command. */
export const EXIT_CODES = { done: 0, failed: 1, badUsage: 2 } as const

/**
 * Runs one worker from its start to its end: until SIGTERM, SIGINT, the end of the process that
 * started it, or the worker's own end. Everything that was opened is then closed; a second signal
 * ends the process at once. A failed start is told in one line.
 *
 * @param start opens the worker's resources on the stack; may end the process with an exit code
 */
export async function runWorker(
  name: string,
  start: (resources: ResourceStack, end: (exitCode: number) => void) => Promise<void>,
): Promise<void> {
  const resources = new ResourceStack()
  let end: (exitCode: number) => void = () => undefined
  const ended = new Promise<number>((resolve) => {
    end = resolve
  })
  onSignal(end)
  try {
    const started = start(resources, end)
    // A start that fails while the process is ending already has nobody left to tell.
    started.catch(() => undefined)
    const endedEarly = await Promise.race([started, ended])
    if (endedEarly === undefined) tellParent({ kind: 'ready' })
    process.exitCode = await ended
  } catch (error) {
    reportFailure(name, error)
    process.exitCode = EXIT_CODES.failed
  }
  await resources.close()
  process.exit()
}

/** Writes a failure for people: what happened, and what to do. */
export function reportFailure(name: string, error: unknown): void {
  if (isStarlingError(error)) {
    tellParent({ kind: 'failed', code: error.code, message: error.message })
    process.stderr.write(`${name}: ${describeFailure(error)}\n`)
  } else {
    process.stderr.write(
      `${name}: failed unexpectedly\n${error instanceof Error ? error.stack : String(error)}\n`,
    )
  }
}

/** An error on two lines: what happened, and what to do. */
export function describeFailure(error: StarlingError): string {
  return `${error.message} (${error.code})\n  ${ERROR_CODES[error.code].whatToDo}`
}

function onSignal(end: (exitCode: number) => void): void {
  let ending = false
  const onFirst = () => {
    if (ending) process.exit(EXIT_CODES.failed)
    ending = true
    end(EXIT_CODES.done)
  }
  process.on('SIGTERM', onFirst)
  process.on('SIGINT', onFirst)
  whenParentGone(() => end(EXIT_CODES.done))
}
