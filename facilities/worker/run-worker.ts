import { adviceFor } from '../../helpers/errors/advice.js'
import { isStarlingError, type StarlingError } from '../../helpers/errors/starling-error.js'
import { safeLine, safeText } from '../../helpers/text/terminal-text.js'
import { homeToName } from '../home/home.js'
import { EXIT_CODES } from '../process/exit-codes.js'
import { tellParent } from '../process/parent-channel.js'
import { ProcessLife } from '../process/process-life.js'
import { protectProcess } from '../process/protect-process.js'
import { ResourceStack } from './resource-stack.js'

/**
 * Runs a worker until SIGTERM, SIGINT, the end of its parent process, or its own end. Then everything that was
 * opened is closed. A second signal ends the process at once. If the start fails, the error is reported.
 *
 * @param settings.home the absolute path of the home in use
 * @param start opens the worker's resources on the stack
 */
export async function runWorker(
  name: string,
  settings: { readonly home: string },
  start: (resources: ResourceStack, life: ProcessLife) => Promise<void>,
): Promise<void> {
  const resources = new ResourceStack()
  const life = new ProcessLife()
  process.stderr.on('error', () => {
    // The disk of the log is full or its reader has left. The worker goes on without a log.
  })
  await protectProcess()
  try {
    const started = start(resources, life)
    // Not reported if the start fails while the process is already closing.
    started.catch(() => undefined)
    const endedEarly = await Promise.race([started, life.ended])
    if (endedEarly === undefined) tellParent({ kind: 'ready' })
    process.exitCode = await life.ended
  } catch (error) {
    reportFailure(name, error, settings.home)
    process.exitCode = EXIT_CODES.failed
    life.end(EXIT_CODES.failed)
  }
  await resources.close()
  process.exit()
}

/**
 * Reports an error to the user and the parent process: what happened, and what to do.
 *
 * @param home the absolute path of the home in use
 */
export function reportFailure(name: string, error: unknown, home: string): void {
  if (isStarlingError(error)) {
    tellParent({ kind: 'failed', code: error.code, message: error.message })
    process.stderr.write(`${name}: ${describeFailure(error, home)}\n`)
  } else {
    process.stderr.write(`${name}: failed unexpectedly\n${describeBug(error)}\n`)
  }
}

/**
 * Describes an error in two lines: what happened, and what to do. Safe to write to a terminal.
 *
 * @param home the absolute path of the home in use
 */
export function describeFailure(error: StarlingError, home: string): string {
  const advice = adviceFor(error.code, homeToName(home))
  return `${safeLine(error.message)} (${error.code})\n  ${safeLine(advice)}`
}

/** Describes an unexpected error, with its stack. Safe to write to a terminal. */
export function describeBug(error: unknown): string {
  return safeText(String(error instanceof Error ? error.stack : error))
}
