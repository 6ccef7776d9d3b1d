import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { addFailure, type FileReport, TapReport } from './tap-report.js'

const ENTRY = fileURLToPath(new URL('./run-files.js', import.meta.url))
const STDERR_KEPT_CHARACTERS = 64 * 1024
const CLOSE_WAIT_MS = 1000

/** Processes that run now, for `killRunning`. */
const running = new Set<ChildProcess>()

export interface TestProcessOptions {
  /** The directory that the files are relative to. */
  readonly root: string
  readonly files: readonly string[]
  /** The path of Node's executable. */
  readonly node: string
  readonly timeoutMs: number
  /** How long the process may stay after its last test. */
  readonly exitGraceMs: number
  /** Additional environment variables of the process. */
  readonly environment: NodeJS.ProcessEnv
  /** Called for every line that the process prints. */
  onLine(line: string): void
  /** Called for a file as soon as its tests have ended. */
  onFile(report: FileReport): void
}

/**
 * Runs test files in one process, in its own process group, which is ended afterwards.
 *
 * @returns the files that never got their turn because an earlier one ended the process
 */
export async function runTestProcess(options: TestProcessOptions): Promise<string[]> {
  const tap = new TapReport(options.files)
  const child = spawn(options.node, ['--enable-source-maps', ENTRY, ...options.files], {
    cwd: options.root,
    detached: true,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let hasFailed = false
  let last: FileReport | null = null
  let killed: 'timeout' | 'grace' | null = null
  const kill = (reason: 'timeout' | 'grace') => {
    killed = reason
    killGroup(child)
  }
  let timer = setTimeout(kill, options.timeoutMs, 'timeout')
  createInterface({ input: child.stdout }).on('line', (line) => {
    options.onLine(line)
    const ended = tap.read(line)
    if (ended === null) return
    hasFailed ||= ended.failed > 0
    if (tap.remainingFiles.length > 0) return options.onFile(ended)
    // The last file is held back until the process has ended well.
    last = ended
    clearTimeout(timer)
    timer = setTimeout(kill, options.exitGraceMs, 'grace')
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT_CHARACTERS)
  })

  const exit = await endOf(child)
  clearTimeout(timer)
  running.delete(child)
  const report: FileReport = last ?? tap.current
  const failWithOutput = (reason: string) => {
    const output = [reason, ...tap.pendingLines, stderr.trimEnd()]
    addFailure(report, output.filter((part) => part !== '').join('\n'))
  }
  if (last === null) {
    const where = tap.runningTest === null ? '' : ` in the test "${tap.runningTest}"`
    const what =
      killed === null ? `the process ended with ${exit}` : `timed out after ${options.timeoutMs} ms`
    const hint = exit === UNSETTLED ? ' (a test.solo, or something awaited that never comes?)' : ''
    failWithOutput(`${what}${where}, before all of its tests had run${hint}`)
  } else if (killed !== null) {
    const stayed = `its tests ended, but the process stayed for ${options.exitGraceMs} ms`
    addFailure(report, `${stayed}: a handle was left open`)
  } else if (tap.inconsistency() !== null) failWithOutput(`${tap.inconsistency()}`)
  else if (exit !== 'exit code 0' && !(exit === 'exit code 1' && hasFailed)) {
    failWithOutput(`the process ended with ${exit} after its tests`)
  }
  options.onFile(report)
  return last === null ? tap.remainingFiles.slice(1) : []
}

/** Node's code for an `await` at the top of a module that is never settled. */
const UNSETTLED = 'exit code 13'

/** Ends every test process that still runs, and all its children. */
export function killRunning(): void {
  for (const child of running) killGroup(child)
}

/** Resolves with the exit code or signal when the process is gone and its output is read. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      // Remaining children would hold its output open.
      killGroup(child)
      const finish = () => {
        clearTimeout(wait)
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`)
      }
      const wait = setTimeout(finish, CLOSE_WAIT_MS)
      child.once('close', finish)
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // No process of the group is left.
  }
}
