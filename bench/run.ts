import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AttackResult, attackResults } from './attacks/attack-results.js'
import { attackTable } from './attacks/attack-table.js'
import { comparisonTable } from './comparison-table.js'
import { engineRows } from './engine/engine-rows.js'
import { type Comparison, measure, type Result } from './measure.js'
import { connectionRows } from './rows/connection.js'
import { inferenceRows } from './rows/inference.js'
import { restartRows } from './rows/restart.js'
import { tokenStreamRows } from './rows/token-stream.js'
import { unaryCallRows } from './rows/unary-call.js'
import { samplingTable } from './sampling/sampling-table.js'

const ROUNDS = 5

/** The exit code of a command that Ctrl-C has ended. */
const INTERRUPTED = 130

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

/** The group that measures itself. */
const ATTACKS = 'attacks'

/** All groups, or those that the command line names: `npm run bench -- engine`. */
const names = [...Object.keys(GROUPS), ATTACKS]
const asked = process.argv.slice(2)
// About answers, not about speed: it is not compared with anything raw, and runs only when it is named.
if (asked.length === 1 && asked[0] === 'sampling') {
  for await (const line of samplingTable()) process.stdout.write(`${line}\n`)
  process.exit(0)
}
const unknown = asked.find((name) => !names.includes(name))
if (unknown !== undefined) {
  process.stderr.write(`There is no group ${unknown}: ${names.join(', ')}; or sampling, alone\n`)
  process.exit(2)
}
const isAsked = (name: string) => asked.length === 0 || asked.includes(name)

const interrupt = new AbortController()
process.once('SIGINT', () => {
  process.stderr.write('Ending: what was opened is closed first\n')
  interrupt.abort(new Error('Interrupted'))
})
const { signal } = interrupt

const results: Result[] = []
let attacks: AttackResult[] = []
try {
  for (const [name, open] of Object.entries(GROUPS)) {
    if (isAsked(name)) await measureGroup(open)
  }
  if (isAsked(ATTACKS)) attacks = await attackResults(signal, process.env.BENCH_ATTACK)
} catch (error) {
  if (!signal.aborted) throw error
  process.exit(INTERRUPTED)
}
await keep([...results, ...attacks])
if (results.length > 0) process.stdout.write(comparisonTable(results))
if (attacks.length > 0) process.stdout.write(attackTable(attacks))
// Native handles of the engine can keep the process alive after everything was closed.
process.exit(0)

async function measureGroup(open: (typeof GROUPS)[string]): Promise<void> {
  const group = await open()
  try {
    for (const row of group.rows) {
      signal.throwIfAborted()
      process.stderr.write(`${row.what} …\n`)
      results.push(await measure(row, ROUNDS))
    }
  } finally {
    await group.close()
  }
}

/** Keeps the results. A group that is measured alone takes the place of what it came to before. */
async function keep(measured: readonly Result[]): Promise<void> {
  const path = join(import.meta.dirname, 'results.json')
  const kept: Result[] = asked.length === 0 ? [] : JSON.parse(await readFile(path, 'utf8')).results
  const again = new Map(measured.map((result) => [result.what, result]))
  const merged = [
    ...kept.map((result) => again.get(result.what) ?? result),
    ...measured.filter(({ what }) => !kept.some((result) => result.what === what)),
  ]
  const content = { rounds: ROUNDS, node: process.version, results: merged }
  await writeFile(path, `${JSON.stringify(content, null, 2)}\n`)
}
