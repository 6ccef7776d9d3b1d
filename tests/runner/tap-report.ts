/** The name, followed by the file, of the test that runs after all of a file's own. */
export const END_OF_FILE = 'end of file '

const RESULT = /^(not )?ok (\d+) - (.*)$/
const ASSERT = /^ {4}(not )?ok \d+ /
const PLAN = /^1\.\.(\d+)$/
const DIRECTIVE = / # (SKIP|TODO)$/
const TIME = / # time = [\d.]+ms$/
const LINES_KEPT = 2000

/** What is known of one test file. Tests are brittle's top-level tests. */
export interface FileReport {
  readonly file: string
  passed: number
  failed: number
  readonly skipped: string[]
  /** Everything printed by a test that failed, and why a file as a whole did. */
  readonly failures: string[]
}

/** Reads the TAP of one process that runs test files one after the other. */
export class TapReport {
  readonly finished: FileReport[] = []
  #current: FileReport
  #remaining: string[]
  #results = 0
  #plan: number | null = null
  #lines: string[] = []
  #asserts = 0
  #testName: string | null = null
  readonly #problems: string[] = []

  /** @param files in the order in which the process runs them */
  constructor(files: readonly string[]) {
    this.#remaining = [...files]
    this.#current = emptyReport(files[0] ?? '')
  }

  /** True once the tests of every file have ended. */
  get allFilesEnded(): boolean {
    return this.#remaining.length === 0
  }

  /** The file whose tests have not ended yet. */
  get current(): FileReport {
    return this.#current
  }

  get remainingFiles(): readonly string[] {
    return this.#remaining
  }

  /** The test that has begun and not ended. */
  get runningTest(): string | null {
    return this.#testName
  }

  /** What was printed since the last test ended. */
  get pendingLines(): readonly string[] {
    return this.#lines
  }

  /** @returns the report of a file when this line ends it */
  read(line: string): FileReport | null {
    const result = RESULT.exec(line)
    if (result !== null) return this.#readResult(line, result)
    const plan = PLAN.exec(line)
    if (plan !== null) {
      this.#plan = Number(plan[1])
      return null
    }
    if (line.startsWith('# ') && this.#plan === null) {
      this.#testName = line.slice(2)
      this.#lines = []
      this.#asserts = 0
    }
    if (ASSERT.test(line)) this.#asserts++
    if (line.startsWith('# ') || line.trim() === '' || line.startsWith('TAP version')) return null
    if (this.#lines.length < LINES_KEPT) this.#lines.push(line)
    return null
  }

  /** Why the whole cannot be trusted although every file ended; null when it can. */
  inconsistency(): string | null {
    if (this.#plan === null) this.#problems.push('the process ended before brittle had counted')
    else if (this.#plan !== this.#results) {
      this.#problems.push(`${this.#plan} tests were planned and ${this.#results} reported`)
    }
    return this.#problems.length === 0 ? null : this.#problems.join('; ')
  }

  #readResult(line: string, [, not, number, label = '']: RegExpExecArray): FileReport | null {
    this.#results++
    if (Number(number) !== this.#results) {
      this.#problems.push(`result ${this.#results} came as "${line}"`)
    }
    const name = label.replace(TIME, '')
    const lines = this.#lines
    this.#lines = []
    this.#testName = null
    if (name.startsWith(END_OF_FILE)) return this.#endFile(name.slice(END_OF_FILE.length))
    if (not !== undefined) {
      this.#current.failed++
      const shown = lines.filter((printed) => !printed.startsWith('    ok '))
      this.#current.failures.push([line, ...shown].join('\n'))
    } else if (DIRECTIVE.test(label)) {
      this.#current.skipped.push(label.replace(DIRECTIVE, '').replace(/^- /, ''))
    } else if (this.#asserts === 0) {
      this.#current.failed++
      this.#current.failures.push(`not ok - the test "${name}" asserts nothing`)
    } else this.#current.passed++
    return null
  }

  #endFile(file: string): FileReport {
    const ended = this.#current
    if (ended.file !== file) this.#problems.push(`${file} ended while ${ended.file} ran`)
    if (ended.passed + ended.failed + ended.skipped.length === 0) {
      addFailure(ended, 'holds no tests')
    }
    this.finished.push(ended)
    this.#remaining = this.#remaining.slice(1)
    this.#current = emptyReport(this.#remaining[0] ?? '')
    return ended
  }
}

/** A report of a file in which nothing has run. */
export function emptyReport(file: string): FileReport {
  return { file, passed: 0, failed: 0, skipped: [], failures: [] }
}

/** Counts a failure of the file as a whole. */
export function addFailure(report: FileReport, reason: string): void {
  report.failed++
  report.failures.push(`not ok - ${report.file}: ${reason}`)
}
