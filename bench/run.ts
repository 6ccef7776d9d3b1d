import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { engineRows } from './engine/engine-rows.js'
import { type Comparison, measure, type Result, type Spread } from './measure.js'
import { connectionRows } from './rows/connection.js'
import { inferenceRows } from './rows/inference.js'
import { restartRows } from './rows/restart.js'
import { tokenStreamRows } from './rows/token-stream.js'
import { unaryCallRows } from './rows/unary-call.js'
import { samplingTable } from './sampling/sampling-table.js'

const ROUNDS = 5

/** What opens a group of rows that share what they are measured on. */
const GROUPS: Readonly<
  Record<string, () => Promise<{ rows: Comparison[]; close(): Promise<void> }>>
> = {
  calls: unaryCallRows,
  streams: tokenStreamRows,
  connections: connectionRows,
  engine: engineRows,
  inference: inferenceRows,
  restarts: restartRows,
}

/** All groups, or those that the command line names: `npm run bench -- engine`. */
const asked = process.argv.slice(2)
// About answers, not about speed: it is not compared with anything raw, and runs only when it is named.
if (asked.length === 1 && asked[0] === 'sampling') {
  for await (const line of samplingTable()) process.stdout.write(`${line}\n`)
  process.exit(0)
}
const unknown = asked.find((name) => !Object.hasOwn(GROUPS, name))
if (unknown !== undefined) {
  const groups = Object.keys(GROUPS).join(', ')
  process.stderr.write(`There is no group ${unknown}: ${groups}; or sampling, alone\n`)
  process.exit(2)
}

const results: Result[] = []
for (const [name, open] of Object.entries(GROUPS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const group = await open()
  try {
    for (const row of group.rows) {
      process.stderr.write(`${row.what} …\n`)
      results.push(await measure(row, ROUNDS))
    }
  } finally {
    await group.close()
  }
}
const path = join(import.meta.dirname, 'results.json')
// A group that is measured alone takes the place of what it came to before.
const kept: Result[] = asked.length === 0 ? [] : JSON.parse(await readFile(path, 'utf8')).results
const again = new Map(results.map((result) => [result.what, result]))
const merged = [
  ...kept.map((result) => again.get(result.what) ?? result),
  ...results.filter(({ what }) => !kept.some((result) => result.what === what)),
]
const content = { rounds: ROUNDS, node: process.version, results: merged }
await writeFile(path, `${JSON.stringify(content, null, 2)}\n`)
process.stdout.write(table(results))
// Native handles of the engine can keep the process alive after everything was closed.
process.exit(0)

function table(rows: readonly Result[]): string {
  const lines = rows.map((row) => {
    const sign = row.compare === 'difference' && row.figure.median >= 0 ? '+' : ''
    const unit = row.compare === 'ratio' ? '' : ` ${row.unit}`
    const raw = row.against === '' ? '' : `${number(row.raw.median)} ${row.unit}`
    return (
      `| ${row.what} | ${row.against} | ${raw} | ` +
      `${number(row.ours.median)} ${row.unit} | **${sign}${number(row.figure.median)}${unit}** ` +
      `(${range(row.figure)}) | ${row.goal} |`
    )
  })
  return [
    '| what | against | raw | Starling | Starling against raw (min to max) | goal |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n')
}

function range({ min, max }: Spread): string {
  return `${number(min)} to ${number(max)}`
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}
