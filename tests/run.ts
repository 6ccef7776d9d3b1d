// Runs the tests: node tests/run.js [unit|integration|e2e|endurance|FILE ...] [--verbose]
// The last line it prints is always "N passed, N failed". It exits 0 only when tests ran and none
// failed; a file, a process or a layer that did not run to its end counts as failed. A run of every
// layer is held against the goals of coverage, too; a miss counts as one failed.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { scaled } from './helpers/scale.js'
import { CoverageRecorder } from './runner/coverage.js'
import { holdAgainstGoals } from './runner/coverage-gate.js'
import { addFailure, emptyReport, type FileReport } from './runner/tap-report.js'
import { killRunning, runTestProcess } from './runner/test-process.js'

interface Layer {
  readonly name: string
  /** Whether all files share a process, or each has its own. */
  readonly oneProcess: boolean
  /** Processes at once. */
  readonly lanes: number
  /** A folder whose files wait more than they compute: one of them more runs beside those. */
  readonly waiting?: string
  /** For one process. */
  readonly timeoutMs: number
  /** What the layer should take on two cores. More is said, not failed: machines differ. */
  readonly budgetMs: number
}

interface Run {
  readonly root: string
  readonly verbose: boolean
  readonly timeoutMs: number | null
  readonly exitGraceMs: number
  /** Null when only a part of the tests runs. */
  readonly coverage: CoverageRecorder | null
}

/** What is still to run: the files of one process each. */
type Queue = (readonly string[])[]

const LANES = Math.min(2, availableParallelism())
/** Its tests wait until dead and silent peers are noticed, and compute little. */
const MESH_TESTS = 'tests/integration/mesh/'
const LAYERS: readonly Layer[] = [
  { name: 'unit', oneProcess: true, lanes: 1, timeoutMs: 120_000, budgetMs: 30_000 },
  {
    name: 'integration',
    oneProcess: false,
    lanes: LANES,
    waiting: MESH_TESTS,
    timeoutMs: 120_000,
    budgetMs: 120_000,
  },
  { name: 'e2e', oneProcess: false, lanes: LANES, timeoutMs: 300_000, budgetMs: 300_000 },
  {
    name: 'endurance',
    oneProcess: false,
    lanes: LANES,
    timeoutMs: scaled(3_600_000),
    budgetMs: scaled(1_800_000),
  },
]
const EXIT_GRACE_MS = 10_000
const PROJECT = fileURLToPath(new URL('..', import.meta.url))
const TEST_FILE = /\.test\.(js|ts)$/

const total = { passed: 0, failed: 0, skipped: 0 }
let finished = false
let recorder: CoverageRecorder | null = null

process.on('SIGINT', () => finish('interrupted'))
process.on('SIGTERM', () => finish('terminated'))
process.on('uncaughtException', (error) => finish(error.stack ?? error.message))

try {
  await main()
  finish(null)
} catch (error) {
  finish(error instanceof Error ? (error.stack ?? error.message) : String(error))
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      verbose: { type: 'boolean', short: 'v', default: false },
      root: { type: 'string', default: PROJECT },
      'timeout-ms': { type: 'string' },
      'exit-grace-ms': { type: 'string' },
    },
  })
  // The real path, as in the URLs of what is loaded from it.
  const root = realpathSync(resolve(values.root))
  const known = LAYERS.map((layer) => layer.name)
  const files = positionals.filter((argument) => TEST_FILE.test(argument))
  const named = positionals.filter((argument) => !TEST_FILE.test(argument))
  for (const name of named) {
    if (!known.includes(name)) throw new Error(`No layer is called "${name}": ${known.join(', ')}`)
  }
  const asked = files.map((file) => asTestFile(root, file))
  for (const file of asked) {
    if (!LAYERS.some((layer) => isOf(file, layer))) throw new Error(`${file} is in no layer`)
  }
  recorder = positionals.length === 0 ? new CoverageRecorder(root) : null
  const run: Run = {
    root,
    verbose: values.verbose,
    timeoutMs: values['timeout-ms'] === undefined ? null : Number(values['timeout-ms']),
    exitGraceMs: Number(values['exit-grace-ms'] ?? EXIT_GRACE_MS),
    coverage: recorder,
  }
  for (const layer of LAYERS) {
    const some = asked.filter((file) => isOf(file, layer))
    if (named.includes(layer.name) || positionals.length === 0) {
      await runLayer(run, layer, findTests(run.root, layer))
    } else if (some.length > 0) await runLayer(run, layer, some)
  }
  if (run.coverage !== null) await checkCoverage(run.coverage)
}

async function checkCoverage(coverage: CoverageRecorder): Promise<void> {
  const { table, problem } = holdAgainstGoals(await coverage.read())
  console.log(`${table}\n`)
  if (problem === null) return
  total.failed++
  console.log(`not ok - too little is covered: ${problem} (see coverage/lines.txt)\n`)
}

async function runLayer(run: Run, layer: Layer, files: readonly string[]): Promise<void> {
  const startedAt = performance.now()
  const before = { ...total }
  const count = (report: FileReport, elapsedMs: number) => {
    total.passed += report.passed
    total.failed += report.failed
    total.skipped += report.skipped.length
    printFile(report, elapsedMs)
  }
  const fail = (file: string, reason: string) => {
    const report = emptyReport(file)
    addFailure(report, reason)
    count(report, 0)
  }

  if (files.length === 0) fail(`tests/${layer.name}`, 'holds no test files')
  const runnable: string[] = []
  for (const file of files) {
    const problem = staleness(run.root, file)
    if (problem === null) runnable.push(file)
    else fail(file, problem)
  }
  const { waiting: folder } = layer
  const waiting = runnable.filter((file) => folder !== undefined && file.startsWith(folder))
  const others = runnable.filter((file) => !waiting.includes(file))
  const queue: Queue = layer.oneProcess ? [others] : others.map((file) => [file])
  const waitingQueue: Queue = waiting.map((file) => [file])
  const timeoutMs = run.timeoutMs ?? layer.timeoutMs
  const runBatch = async (batch: readonly string[], queue: Queue) => {
    let fileStartedAt = performance.now()
    const result = await runTestProcess({
      root: run.root,
      files: batch,
      timeoutMs: layer.oneProcess
        ? Math.max(1, timeoutMs - (performance.now() - startedAt))
        : timeoutMs,
      exitGraceMs: run.exitGraceMs,
      environment: run.coverage?.environment ?? {},
      onLine: (line) => {
        if (run.verbose) console.log(line)
      },
      onFile: (report) => {
        count(report, performance.now() - fileStartedAt)
        fileStartedAt = performance.now()
      },
    })
    if (!result.timedOut) queue.unshift([...result.notStarted])
    else for (const file of result.notStarted) fail(file, 'did not run: the layer had timed out')
  }
  const runAll = async (queue: Queue) => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
      if (batch.length > 0) await runBatch(batch, queue)
    }
  }
  const runLane = async () => {
    await runAll(queue)
    await runAll(waitingQueue)
  }
  await Promise.all([runAll(waitingQueue), ...Array.from({ length: layer.lanes }, runLane)])

  const passed = total.passed - before.passed
  const failed = total.failed - before.failed
  const skipped = total.skipped - before.skipped
  const elapsedMs = performance.now() - startedAt
  const seconds = (elapsedMs / 1000).toFixed(1)
  console.log(`${layer.name}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds} s`)
  if (elapsedMs > layer.budgetMs) {
    console.log(`${layer.name}: took longer than its ${layer.budgetMs / 1000} s`)
  }
  console.log()
}

function printFile(report: FileReport, elapsedMs: number): void {
  const { file, passed, failed, skipped, failures } = report
  const seconds = (elapsedMs / 1000).toFixed(2)
  const result = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`
  console.log(`${failed === 0 ? '  ok  ' : '  FAIL'} ${file}: ${result}, ${seconds} s`)
  for (const name of skipped) console.log(`       skipped: ${name}`)
  for (const failure of failures) console.log(failure.replace(/^/gm, '       '))
}

/** Test files of a layer, built or not, named by their .js, relative to the root and sorted. */
function findTests(root: string, layer: Layer): string[] {
  const folder = join(root, 'tests', layer.name)
  if (!existsSync(folder)) return []
  const files = new Set<string>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !TEST_FILE.test(entry.name)) continue
    files.add(asTestFile(root, join(entry.parentPath, entry.name)))
  }
  return [...files].sort()
}

function asTestFile(root: string, file: string): string {
  return relative(root, resolve(root, file)).split(sep).join('/').replace(/\.ts$/, '.js')
}

function isOf(file: string, layer: Layer): boolean {
  return file.startsWith(`tests/${layer.name}/`)
}

/** Why a test file cannot be run as it is; null when it can. */
function staleness(root: string, file: string): string | null {
  const built = join(root, file)
  const source = built.replace(/\.js$/, '.ts')
  if (!existsSync(built)) {
    return existsSync(source) ? 'is not built: npm run build' : 'does not exist'
  }
  if (existsSync(source) && statSync(source).mtimeMs > statSync(built).mtimeMs) {
    return 'is older than its source: npm run build'
  }
  return null
}

/** Prints the last line and exits. */
function finish(problem: string | null): void {
  if (finished) return
  finished = true
  killRunning()
  try {
    recorder?.remove()
  } catch {
    // A process that is still ending may write there; what is left lies in the system's folder for it.
  }
  if (problem !== null) {
    total.failed++
    console.log(`not ok - the test run itself: ${problem}`)
  } else if (total.passed + total.failed === 0) {
    total.failed++
    console.log('not ok - no test ran')
  }
  if (total.skipped > 0) console.log(`${total.skipped} skipped`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1)
}
