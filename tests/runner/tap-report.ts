/** The name, followed by the file, of the test that runs after all of a file's own. */
export const END_OF_FILE = 'end of file '

const RESULT = /^(not )?ok \d+ - (.*?)(?: # time = [\d.]+ms)?$/
const SKIPPED = /^(.*) # (?:SKIP|TODO)$/
const LINES_KEPT = 2000

/** The results of one test file. Tests are brittle's top-level tests. */
export interface FileReport {
  readonly file: string
  passed: number
  failed: number
  readonly skipped: string[]
  /** Everything printed by a test that failed, and why a file as a whole did. */
  readonly failures: string[]
}

/** Reads brittle's output in one process that runs test files one after the other. */
export class TapReport {
  /** The files whose tests have not ended, in the order in which they run. */
  readonly remainingFiles: string[]
  /** The results so far of the first of them. */
  current: FileReport
  /** The test that has begun and not ended. */
  runningTest: string | null = null
  /** What was printed since the last test ended, without asserts that passed. */
  pendingLines: string[] = []
  #results = 0
  #planned: number | null = null
  #asserts = 0

  constructor(files: readonly string[]) {
    this.remainingFiles = [...files]
    this.current = emptyReport(files[0] ?? '')
  }

  /** @returns the report of a file when this line ends it */
  read(line: string): FileReport | null {
    const [isResult, not, name = ''] = RESULT.exec(line) ?? []
    if (isResult !== undefined) return this.#readResult(line, not === undefined, name)
    if (/^1\.\.\d+$/.test(line)) this.#planned = Number(line.slice(3))
    else if (line.startsWith('# ')) {
      if (this.#planned === null) this.#beginTest(line.slice(2))
    } else {
      if (/^ {4}(not )?ok \d+ /.test(line)) this.#asserts++
      const isShown = !line.startsWith('    ok ') && this.pendingLines.length < LINES_KEPT
      if (isShown && line !== '') this.pendingLines.push(line)
    }
    return null
  }

  /** Why the results cannot be trusted although every file ended; null when they can. */
  inconsistency(): string | null {
    if (this.#planned === null) return 'the process ended before brittle had counted'
    if (this.#planned === this.#results) return null
    return `${this.#planned} tests were planned and ${this.#results} reported`
  }

  #beginTest(name: string | null): void {
    this.runningTest = name
    this.pendingLines = []
    this.#asserts = 0
  }

  #readResult(line: string, isOk: boolean, name: string): FileReport | null {
    const [output, asserts, report] = [this.pendingLines, this.#asserts, this.current]
    this.#results++
    this.#beginTest(null)
    const skipped = SKIPPED.exec(name)?.[1]
    if (name === END_OF_FILE + report.file) return this.#endFile()
    if (!isOk) fail(report, [line, ...output].join('\n'))
    else if (skipped !== undefined) report.skipped.push(skipped)
    else if (asserts === 0) fail(report, `not ok - the test "${name}" asserts nothing`)
    else report.passed++
    return null
  }

  #endFile(): FileReport {
    const ended = this.current
    if (ended.passed + ended.failed + ended.skipped.length === 0) {
      addFailure(ended, 'holds no tests')
    }
    this.remainingFiles.shift()
    this.current = emptyReport(this.remainingFiles[0] ?? '')
    return ended
  }
}

/** The report of a file in which nothing has run. */
export function emptyReport(file: string): FileReport {
  return { file, passed: 0, failed: 0, skipped: [], failures: [] }
}

/** Counts a failure of the file as a whole. */
export function addFailure(report: FileReport, reason: string): void {
  fail(report, `not ok - ${report.file}: ${reason}`)
}

function fail(report: FileReport, failure: string): void {
  report.failed++
  report.failures.push(failure)
}
