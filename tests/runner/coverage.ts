import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Report } from 'c8'

/** The folders whose code the tests have to cover. */
const FOLDERS = ['workers', 'facilities', 'helpers', 'config']

/**
 * The share of lines that the tests have to run. For c8, blank lines, comments and types are covered: as long
 * as they are not more than half of a part, 95 % of its lines are at least 90 % of its lines of code.
 */
const GOALS = [
  { part: 'all', files: /./, percent: 95 },
  { part: 'workers/auth/', files: /^workers\/auth\//, percent: 97.5 },
  { part: 'facilities/network/', files: /^facilities\/network\//, percent: 97.5 },
  {
    part: 'admission (workers/gateway/)',
    files: /^workers\/gateway\/[^/]*(admission|limiter|verifier)[^/]*\.ts$/,
    percent: 97.5,
  },
]

/** How often V8 saw a range of a script run. An inner range overrides the one around it. */
interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/** What Node writes of a script for NODE_V8_COVERAGE. */
interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** Lines of a file, and how many of them some test ran. */
export interface LineCounts {
  readonly total: number
  readonly covered: number
}

/** The report of a run's coverage, and the goals that it has missed. */
export interface CoverageResult {
  readonly lines: readonly string[]
  readonly missed: readonly string[]
}

/**
 * Checks coverage against the goals.
 *
 * @param files by the source's path relative to the root: `helpers/identity/id.ts`
 */
export function holdAgainstGoals(files: ReadonlyMap<string, LineCounts>): CoverageResult {
  const lines: string[] = []
  const missed: string[] = []
  for (const { part, files: pattern, percent } of GOALS) {
    const counts = [...files].filter(([file]) => pattern.test(file)).map(([, count]) => count)
    const total = counts.reduce((sum, count) => sum + count.total, 0)
    if (total === 0) continue
    const share = (100 * counts.reduce((sum, count) => sum + count.covered, 0)) / total
    // Rounded down: 94.96 % is not 95.
    const line = `${part}: ${(Math.floor(share * 10) / 10).toFixed(1)} % of ${percent} %`
    lines.push(`lines covered of ${line}`)
    if (share < percent) missed.push(line)
  }
  return { lines, missed }
}

/** Collects V8's coverage of the test processes and of the processes that they start. */
export class CoverageRecorder {
  readonly #root: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'starling-coverage-'))

  /** @param root of the project, as a real path: V8 names scripts by real paths */
  constructor(root: string) {
    this.#root = root
  }

  /** For the environment of a test process. Those that it starts inherit it. */
  get environment(): NodeJS.ProcessEnv {
    return { NODE_V8_COVERAGE: this.#directory }
  }

  /** Removes the collected data. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Call when all processes have ended. Also writes coverage/lines.txt: the lines that are not covered. */
  async check(): Promise<CoverageResult> {
    const raised = this.#prepare()
    const { lines, missed } = holdAgainstGoals(await this.#linesByFile())
    const codes = await this.#errorCodes()
    const never = codes.filter((code) => !raised.has(code))
    const count = `error codes raised: ${codes.length - never.length} of ${codes.length}`
    const problems = never.length === 0 ? [] : [`no test has the product raise ${never.join(', ')}`]
    return { lines: [...lines, count], missed: [...missed, ...problems] }
  }

  /**
   * Keeps only the product's scripts, so that c8 is quick, and adds those that no process loaded.
   *
   * @returns the codes that were raised: those of which a place of the product that reads
   * `new StarlingError('THE_CODE'` was run. A code that a test makes or that a peer sends does not count.
   */
  #prepare(): ReadonlySet<string> {
    const scripts = new Map(scriptsOf(this.#root).map((path) => [path, raisesOf(path)]))
    const notLoaded = new Set(scripts.keys())
    const raised = new Set<string>()
    for (const name of readdirSync(this.#directory)) {
      const file = join(this.#directory, name)
      const result = readScripts(file).filter(({ url }) => {
        return url.startsWith('file:') && scripts.has(fileURLToPath(url))
      })
      writeFileSync(file, JSON.stringify({ result }))
      for (const { url, functions } of result) {
        const path = fileURLToPath(url)
        notLoaded.delete(path)
        for (const { code, offset } of scripts.get(path) ?? []) {
          if (!raised.has(code) && countAt(functions, offset) > 0) raised.add(code)
        }
      }
    }
    const result = [...notLoaded].map((path) => {
      const ranges: readonly Range[] = [
        { startOffset: 0, endOffset: statSync(path).size, count: 0 },
      ]
      // The name by which c8 knows a file that was not loaded.
      const functions = [{ functionName: '(empty-report)', isBlockCoverage: true, ranges }]
      return { scriptId: '0', url: pathToFileURL(path).href, functions }
    })
    writeFileSync(join(this.#directory, 'not-loaded.json'), JSON.stringify({ result }))
    return raised
  }

  /** Lines and covered lines of every source, by its path relative to the root, as c8 counts them. */
  async #linesByFile(): Promise<ReadonlyMap<string, LineCounts>> {
    const reportsDirectory = join(this.#root, 'coverage')
    await new Report({
      tempDirectory: this.#directory,
      reportsDirectory,
      reporter: ['json-summary', 'text'],
      reporterOptions: { text: { file: 'lines.txt', skipFull: true, maxCols: 160 } },
      exclude: [],
      allowExternal: true,
      excludeNodeModules: false,
      resolve: '',
    }).run()
    const { total: _, ...files } = JSON.parse(
      readFileSync(join(reportsDirectory, 'coverage-summary.json'), 'utf8'),
    ) as Record<string, { readonly lines: LineCounts }>
    return new Map(
      Object.entries(files).map(([path, { lines }]) => [relative(this.#root, path), lines]),
    )
  }

  async #errorCodes(): Promise<readonly string[]> {
    const table = join(this.#root, 'helpers', 'errors', 'error-codes.js')
    if (!existsSync(table)) return []
    const { ERROR_CODES } = (await import(pathToFileURL(table).href)) as { ERROR_CODES: object }
    return Object.keys(ERROR_CODES)
  }
}

/** The product's compiled scripts, but not those of files with nothing but types. */
function scriptsOf(root: string): readonly string[] {
  return FOLDERS.map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => /\.m?js$/.test(path) && existsSync(path.replace(/js$/, 'ts')))
    .filter(
      (path) => !/^(\/\/.*\s|\/\*[\s\S]*?\*\/|\s)*export \{\};/.test(readFileSync(path, 'utf8')),
    )
}

function readScripts(file: string): readonly ScriptCoverage[] {
  try {
    const { result } = JSON.parse(readFileSync(file, 'utf8')) as { result?: ScriptCoverage[] }
    return result ?? []
  } catch {
    // A process that was killed while it wrote: its coverage is lost, as that of any killed process.
    return []
  }
}

/** The places of a script where an error is made, and its code. */
function raisesOf(script: string): readonly { readonly code: string; readonly offset: number }[] {
  const places = readFileSync(script, 'utf8').matchAll(/new StarlingError\(\s*'([A-Z_]+)'/g)
  return [...places].map(({ 1: code = '', index }) => ({ code, offset: index }))
}

function countAt(functions: ScriptCoverage['functions'], offset: number): number {
  const around = functions
    .flatMap(({ ranges }) => ranges)
    .filter(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset)
  const sizeOf = ({ startOffset, endOffset }: Range) => endOffset - startOffset
  return around.reduce((one, other) => (sizeOf(other) <= sizeOf(one) ? other : one), {
    startOffset: 0,
    endOffset: Number.POSITIVE_INFINITY,
    count: 0,
  }).count
}
