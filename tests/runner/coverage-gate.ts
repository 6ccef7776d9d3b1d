import type { Coverage, FileCoverage } from './coverage.js'
import { COVERED_FOLDERS } from './covered-scripts.js'

const FILES_SHOWN = 5

/** A part of the code, and the share of its lines that the tests have to run. */
interface Goal {
  readonly name: string
  readonly of: RegExp
  /** Null where there is none of its own. */
  readonly percent: number | null
}

const GOALS: readonly Goal[] = [
  { name: 'all', of: /./, percent: 90 },
  ...COVERED_FOLDERS.map((folder) => ({
    name: `${folder}/`,
    of: new RegExp(`^${folder}/`),
    percent: null,
  })),
  { name: 'workers/auth/', of: /^workers\/auth\//, percent: 95 },
  { name: 'facilities/network/', of: /^facilities\/network\//, percent: 95 },
  {
    name: 'admission (workers/gateway/)',
    of: /^workers\/gateway\/[^/]*(admission|limiter|verifier)[^/]*\.ts$/,
    percent: 95,
  },
]

/** What is to be printed of a run's coverage, and why it is not enough; null when it is. */
export interface GateResult {
  readonly table: string
  readonly problem: string | null
}

/** Holds coverage against the goals. */
export function holdAgainstGoals({ files, codes }: Coverage): GateResult {
  const rows: string[][] = [['coverage', 'lines of code', 'covered', 'goal']]
  const problems: string[] = []
  for (const { name, of, percent } of GOALS) {
    const { lines, coveredLines } = sum(files.filter(({ file }) => of.test(file)))
    if (lines === 0) continue
    const reached = (100 * coveredLines) / lines
    const isMissed = percent !== null && reached < percent
    // Rounded down: 89.96 % is not 90.
    const shown = `${(Math.floor(reached * 10) / 10).toFixed(1)} %`
    rows.push([name, String(lines), shown, percent === null ? '' : `${percent} %`])
    if (isMissed) problems.push(`${name} ${shown} of ${percent} %`)
  }
  const never = [...codes].filter(([, isRaised]) => !isRaised).map(([code]) => code)
  if (codes.size > 0) {
    const raised = codes.size - never.length
    rows.push(['error codes raised', String(codes.size), String(raised), 'all'])
  }
  if (never.length > 0) problems.push(`no test has the product raise ${never.join(', ')}`)
  const table = [...alignColumns(rows), ...leastCovered(files)].join('\n')
  return { table, problem: problems.length === 0 ? null : problems.join('; ') }
}

function sum(files: readonly FileCoverage[]): { lines: number; coveredLines: number } {
  return {
    lines: files.reduce((lines, file) => lines + file.lines, 0),
    coveredLines: files.reduce((lines, file) => lines + file.coveredLines, 0),
  }
}

function leastCovered(files: readonly FileCoverage[]): string[] {
  const missing = ({ lines, coveredLines }: FileCoverage) => lines - coveredLines
  return files
    .filter((file) => missing(file) > 0)
    .sort((one, other) => missing(other) - missing(one))
    .slice(0, FILES_SHOWN)
    .map((file) => `  ${file.file}: ${missing(file)} of ${file.lines} lines not covered`)
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widthOf = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows.map(([name = '', ...cells]) =>
    [
      name.padEnd(widthOf(0)),
      ...cells.map((cell, index) => cell.padStart(widthOf(index + 1))),
    ].join('  '),
  )
}
