import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AttackResult, attackResults } from './attacks/attack-results.js'
import { engineRows } from './engine/engine-rows.js'
import { type Comparison, measure, type Result } from './measure.js'
import { attackTable, comparisonTable } from './result-tables.js'
import { connectionRows } from './rows/connection.js'
import { inferenceRows, restartRows } from './rows/inference.js'
import { routingRows } from './rows/routing.js'
import { tokenStreamRows } from './rows/token-stream.js'
import { unaryCallRows } from './rows/unary-call.js'
import { samplingTable } from './sampling/sampling-table.js'

const ROUNDS = 5

/** The exit code of a command that Ctrl-C has ended. */
const INTERRUPTED = 130

/** Opens a group of rows that share the processes or connections that they are measured on. */
const GROUPS: Readonly<
  Record<string, () => Promise<{ rows: Comparison[]; close(): Promise<void> }>>
> = {
  calls: unaryCallRows,
  streams: tokenStreamRows,
  connections: connectionRows,
  routing: routingRows,
  engine: engineRows,
  inference: inferenceRows,
  restarts: restartRows,
}

/** The group that does not use {@link measure}. */
const ATTACKS = 'attacks'

const names = [...Object.keys(GROUPS), ATTACKS]
/** The groups that the command line names, such as `npm run bench -- engine`. Empty: all. */
const requested = process.argv.slice(2)
// Measures answers, not speed: it has no baseline, and runs only if it is named.
if (requested.length === 1 && requested[0] === 'sampling') {
  for await (const line of samplingTable()) process.stdout.write(`${line}\n`)
  process.exit(0)
}
const unknown = requested.find((name) => !names.includes(name))
if (unknown !== undefined) {
  const isHelp = unknown === '--help'
  if (!isHelp) process.stderr.write(`Unknown group: ${unknown}\n`)
  process.stderr.write(
    `Usage: npm run bench -- [${names.join('] [')}]\n` +
      'Without a name, runs all of these groups. npm run bench -- sampling runs only that group.\n',
  )
  process.exit(isHelp ? 0 : 2)
}
const isRequested = (name: string) => requested.length === 0 || requested.includes(name)

const interrupt = new AbortController()
process.once('SIGINT', () => {
  process.stderr.write('Interrupted: closing what is open\n')
  interrupt.abort(new Error('Interrupted'))
})
const { signal } = interrupt

const results: Result[] = []
let attacks: AttackResult[] = []
try {
  for (const [name, open] of Object.entries(GROUPS)) {
    if (isRequested(name)) await measureGroup(open)
  }
  if (isRequested(ATTACKS)) attacks = await attackResults(signal, process.env.BENCH_ATTACK)
} catch (error) {
  if (!signal.aborted) throw error
  process.exit(INTERRUPTED)
}
await save([...results, ...attacks])
if (results.length > 0) process.stdout.write(comparisonTable(results))
if (attacks.length > 0) process.stdout.write(attackTable(attacks))
// Native handles of the engine can keep the process alive after everything is closed.
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

/** Writes the results to results.json. Rows that were not measured keep their earlier results. */
async function save(measured: readonly Result[]): Promise<void> {
  const path = join(import.meta.dirname, 'results.json')
  const earlier: Result[] =
    requested.length === 0 ? [] : JSON.parse(await readFile(path, 'utf8')).results
  const again = new Map(measured.map((result) => [result.what, result]))
  const merged = [
    ...earlier.map((result) => again.get(result.what) ?? result),
    ...measured.filter(({ what }) => !earlier.some((result) => result.what === what)),
  ]
  const content = { rounds: ROUNDS, node: process.version, results: merged }
  await writeFile(path, `${JSON.stringify(content, null, 2)}\n`)
}
