import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Report } from 'c8'
import { codeLinesOf } from './code-lines.js'
import { COVERED_FOLDERS, type CoveredScripts, readCoveredScripts } from './covered-scripts.js'

/** Lines of code of one file, and how many of them some test ran. */
export interface FileCoverage {
  /** Relative to the root, with slashes: `helpers/identity/id.ts`. */
  readonly file: string
  readonly lines: number
  readonly coveredLines: number
}

/** What the tests of a whole run have covered. */
export interface Coverage {
  readonly files: readonly FileCoverage[]
  /** Every error code, and whether the product's code raised it. Empty when there is no table. */
  readonly codes: ReadonlyMap<string, boolean>
}

/** Gathers what V8 sees run in the test processes and in the processes that they start. */
export class CoverageRecorder {
  readonly #root: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'starling-coverage-'))

  constructor(root: string) {
    this.#root = root
  }

  /** For the environment of a test process. Those that it starts inherit it. */
  get environment(): NodeJS.ProcessEnv {
    return { NODE_V8_COVERAGE: this.#directory }
  }

  /** Call when all processes have ended. Also writes coverage/lines.txt: what is not covered. */
  async read(): Promise<Coverage> {
    const scripts = readCoveredScripts(this.#root, this.#directory)
    const uncovered = await this.#uncoveredLines(scripts)
    const files = sourcesOf(this.#root).map((source) => {
      const script = source.replace(/\.(m?)ts$/, '.$1js')
      const lines = codeLinesOf(script)
      const missing = scripts.loaded.has(script) ? uncovered.get(source) : lines
      const coveredLines = [...lines].filter((line) => !missing?.has(line)).length
      const file = relative(this.#root, source).split(sep).join('/')
      return { file, lines: lines.size, coveredLines }
    })
    return { files, codes: await this.#codes(scripts) }
  }

  /** Removes what was gathered. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** By c8, which maps what V8 saw back to the sources. */
  async #uncoveredLines({ loaded }: CoveredScripts): Promise<Map<string, Set<number>>> {
    const uncovered = new Map<string, Set<number>>()
    if (loaded.size === 0) return uncovered
    const reportsDirectory = join(this.#root, 'coverage')
    await new Report({
      tempDirectory: this.#directory,
      reportsDirectory,
      reporter: ['json', 'text'],
      reporterOptions: { text: { file: 'lines.txt', skipFull: true, maxCols: 160 } },
      exclude: [],
      allowExternal: true,
      excludeNodeModules: false,
      resolve: '',
    }).run()
    const json = join(reportsDirectory, 'coverage-final.json')
    const files = JSON.parse(readFileSync(json, 'utf8')) as Record<string, IstanbulFile>
    rmSync(json)
    for (const { path, statementMap, s } of Object.values(files)) {
      const lines = Object.entries(statementMap)
        .filter(([statement]) => s[statement] === 0)
        .map(([, { start }]) => start.line)
      uncovered.set(path, new Set(lines))
    }
    return uncovered
  }

  async #codes({ raisedCodes }: CoveredScripts): Promise<Map<string, boolean>> {
    const table = join(this.#root, 'helpers', 'errors', 'error-codes.js')
    if (!existsSync(table)) return new Map()
    const { ERROR_CODES } = (await import(pathToFileURL(table).href)) as { ERROR_CODES: object }
    return new Map(Object.keys(ERROR_CODES).map((code) => [code, raisedCodes.has(code)]))
  }
}

/** What c8 writes of a file. Its statements are lines. */
interface IstanbulFile {
  readonly path: string
  readonly statementMap: Readonly<Record<string, { readonly start: { readonly line: number } }>>
  readonly s: Readonly<Record<string, number>>
}

/** Every TypeScript source that has code to be covered: all but declarations. */
function sourcesOf(root: string): string[] {
  return COVERED_FOLDERS.flatMap((folder) => {
    const path = join(root, folder)
    if (!existsSync(path)) return []
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter(({ name }) => /\.m?ts$/.test(name) && !name.endsWith('.d.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
  }).sort()
}
