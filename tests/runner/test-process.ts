import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { addFailure, type FileReport, TapReport } from './tap-report.js'

const ENTRY = fileURLToPath(new URL('./run-files.js', import.meta.url))
const STDERR_KEPT_BYTES = 64 * 1024
const CLOSE_WAIT_MS = 1000

/** Processes that run now, for `killRunning`. */
const running = new Set<ChildProcess>()

export interface TestProcessOptions {
  /** The directory that the files are relative to. */
  readonly root: string
  readonly files: readonly string[]
  readonly timeoutMs: number
  /** How long the process may stay after its last test. */
  readonly exitGraceMs: number
  /** What the process has in its environment besides that of this one. */
  readonly environment: NodeJS.ProcessEnv
  /** Called for every line that the process prints. */
  onLine(line: string): void
  /** Called for a file as soon as its tests have ended. */
  onFile(report: FileReport): void
}

export interface TestProcessResult {
  /** Files that never got their turn because an earlier one ended the process. */
  readonly notStarted: readonly string[]
  readonly timedOut: boolean
}

/** Runs test files in one process, in a process group of its own that is gone afterwards. */
export async function runTestProcess(options: TestProcessOptions): Promise<TestProcessResult> {
  const tap = new TapReport(options.files)
  const child = spawn(process.execPath, ['--enable-source-maps', ENTRY, ...options.files], {
    cwd: options.root,
    detached: true,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let failedBefore = 0
  let last: FileReport | null = null
  let killed: 'timeout' | 'grace' | null = null
  const kill = (reason: 'timeout' | 'grace') => {
    killed = reason
    killGroup(child)
  }
  const timeout = setTimeout(() => kill('timeout'), options.timeoutMs)
  let grace: NodeJS.Timeout | undefined

  // The last file is held back until the process has ended well.
  const deliver = (report: FileReport) => {
    failedBefore += report.failed
    options.onFile(report)
  }
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    options.onLine(line)
    const ended = tap.read(line)
    if (ended === null) return
    if (!tap.allFilesEnded) return deliver(ended)
    last = ended
    clearTimeout(timeout)
    grace = setTimeout(() => kill('grace'), options.exitGraceMs)
  })
  let stderr = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT_BYTES)
  })

  const exit = await ended(child)
  clearTimeout(timeout)
  clearTimeout(grace)
  running.delete(child)
  const how = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
  const report: FileReport = last ?? tap.current
  if (last === null) {
    const where = tap.runningTest === null ? '' : ` in the test "${tap.runningTest}"`
    const what =
      killed === null ? `the process ended with ${how}` : `timed out after ${options.timeoutMs} ms`
    const hint = exit.code === 13 ? ' (a test.solo, or something awaited that never comes?)' : ''
    addFailure(
      report,
      withOutput(`${what}${where}, before all of its tests had run${hint}`, tap, stderr),
    )
  } else if (killed !== null) {
    addFailure(
      report,
      `its tests ended, but the process stayed for ${options.exitGraceMs} ms: a handle was left open`,
    )
  } else {
    const inconsistency = tap.inconsistency()
    if (inconsistency !== null) addFailure(report, withOutput(inconsistency, tap, stderr))
    else if (exit.code !== 0 && (exit.code !== 1 || failedBefore + report.failed === 0)) {
      addFailure(report, withOutput(`the process ended with ${how} after its tests`, tap, stderr))
    }
  }
  deliver(report)
  return {
    notStarted: last === null ? tap.remainingFiles.slice(1) : [],
    timedOut: killed === 'timeout',
  }
}

/** Ends every test process that still runs, and what it has started. */
export function killRunning(): void {
  for (const child of running) killGroup(child)
}

function withOutput(reason: string, tap: TapReport, stderr: string): string {
  return [reason, ...tap.pendingLines, stderr.trimEnd()].filter((part) => part !== '').join('\n')
}

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Resolves when the process is gone and its output is read. */
function ended(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      // What it left behind would hold its output open.
      killGroup(child)
      const finish = () => {
        clearTimeout(wait)
        resolve({ code, signal })
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
    // Nobody of the group is left.
  }
}
