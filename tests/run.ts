// Runs the tests: node tests/run.js [unit|simulation|integration|e2e|endurance|FILE ...] [--verbose] [--also-on NODE ...]
// The last line it prints is always "N passed, N failed". It exits 0 only when tests ran and none
// failed; a file, a process or a layer that did not finish counts as failed. A run of every
// layer is also checked against the coverage goals; a missed goal counts as one failure.
// `--also-on` runs the layers that depend on Node once more, with another Node's executable.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { scaled } from './helpers/scale.js'
import { CoverageRecorder } from './runner/coverage.js'
import { addFailure, emptyReport, type FileReport } from './runner/tap-report.js'
import { killRunning, runTestProcess } from './runner/test-process.js'

interface Layer {
  readonly name: string
  /** For one process. */
  readonly timeoutMs: number
  /** The expected time of the layer on two cores. More is reported, not failed: machines differ. */
  readonly budgetMs: number
  /** How many files run in one process, one after the other; default 1. */
  readonly filesPerProcess?: number
  /** A folder whose files wait more than they compute: one of them runs in addition to the others. */
  readonly waiting?: string
  /** Whether it is also run on the other versions of Node. */
  readonly onOthers?: boolean
  /** Whether what it covers is not counted, because counting slows it down. */
  readonly isUncounted?: boolean
}

/** How long the simulation runs seeds: see tests/simulation/seed-range.ts. */
const SIMULATION_MS = Number(process.env.SIMULATION_MINUTES ?? 0.25) * 60_000

const LAYERS: readonly Layer[] = [
  { name: 'unit', timeoutMs: 120_000, budgetMs: 30_000, filesPerProcess: 40, onOthers: true },
  {
    name: 'simulation',
    timeoutMs: SIMULATION_MS + 120_000,
    budgetMs: SIMULATION_MS + 30_000,
    isUncounted: true,
  },
  {
    name: 'integration',
    timeoutMs: 120_000,
    budgetMs: 120_000,
    // Its tests wait until dead and silent peers are noticed, and compute little.
    waiting: 'tests/integration/mesh/',
    onOthers: true,
  },
  { name: 'e2e', timeoutMs: 300_000, budgetMs: 300_000 },
  { name: 'endurance', timeoutMs: scaled(3_600_000), budgetMs: scaled(1_800_000) },
]
const LANES = Math.min(2, availableParallelism())
const PROJECT = fileURLToPath(new URL('..', import.meta.url))
const TEST_FILE = /\.test\.(js|ts)$/

const total = { passed: 0, failed: 0, skipped: 0 }
let finished = false
/** Null when only a part of the tests runs. */
let recorder: CoverageRecorder | null = null

interface Run {
  readonly root: string
  readonly verbose: boolean
  readonly timeoutMs: number | null
  readonly exitGraceMs: number
  /** The path of Node's executable, and its version. */
  readonly node: string
  readonly version: string
  /** Additional environment variables of test processes. */
  readonly environment: NodeJS.ProcessEnv
}

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
      'also-on': { type: 'string', multiple: true, default: [] },
      root: { type: 'string', default: PROJECT },
      'timeout-ms': { type: 'string' },
      'exit-grace-ms': { type: 'string', default: '10000' },
    },
  })
  // The real path, as in the URLs of loaded modules.
  const root = realpathSync(resolve(values.root))
  const runAll = positionals.length === 0
  const files = positionals.map((name) => (TEST_FILE.test(name) ? asTestFile(root, name) : name))
  for (const file of files) {
    if (!LAYERS.some(({ name }) => file === name || isOf(file, name))) {
      throw new Error(`${file} is in no layer: ${LAYERS.map(({ name }) => name).join(', ')}`)
    }
  }
  const others = values['also-on'].map((node) => ({
    node: resolve(node),
    version: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
  }))
  if (runAll) recorder = new CoverageRecorder(root)
  const run: Run = {
    root,
    verbose: values.verbose,
    timeoutMs: values['timeout-ms'] === undefined ? null : Number(values['timeout-ms']),
    exitGraceMs: Number(values['exit-grace-ms']),
    node: process.execPath,
    version: process.version,
    environment: recorder?.environment ?? {},
  }
  const runLayers = async (run: Run, layers: readonly Layer[]) => {
    for (const layer of layers) {
      const some = files.filter((file) => isOf(file, layer.name))
      if (runAll || files.includes(layer.name)) {
        await runLayer(run, layer, findTests(root, layer.name))
      } else if (some.length > 0) await runLayer(run, layer, some)
    }
  }
  await runLayers(run, LAYERS)
  for (const other of others) {
    await runLayers(
      { ...run, ...other, environment: {} },
      LAYERS.filter(({ onOthers }) => onOthers),
    )
  }
  if (recorder === null) return
  const { lines, missed } = await recorder.check()
  console.log(`${lines.join('\n')}\n`)
  if (missed.length === 0) return
  total.failed++
  console.log(`not ok - too little is covered: ${missed.join('; ')} (see coverage/lines.txt)\n`)
}

async function runLayer(run: Run, layer: Layer, files: readonly string[]): Promise<void> {
  const startedAt = performance.now()
  const before = { ...total }
  const count = (report: FileReport, sinceMs: number) => {
    total.passed += report.passed
    total.failed += report.failed
    total.skipped += report.skipped.length
    printFile(report, performance.now() - sinceMs)
  }
  const fail = (file: string, reason: string) => {
    const report = emptyReport(file)
    addFailure(report, reason)
    count(report, performance.now())
  }

  if (files.length === 0) fail(`tests/${layer.name}`, 'holds no test files')
  const runnable = files.filter((file) => {
    const problem = staleness(run.root, file)
    if (problem !== null) fail(file, problem)
    return problem === null
  })
  const { waiting: folder, filesPerProcess = 1 } = layer
  const isWaiting = (file: string) => folder !== undefined && file.startsWith(folder)
  /** What is still to run: each entry is the files of one process. */
  const waiting = runnable.filter(isWaiting).map((file) => [file])
  const others: string[][] = []
  for (const file of runnable.filter((file) => !isWaiting(file))) {
    const batch = others.at(-1)
    if (batch === undefined || batch.length === filesPerProcess) others.push([file])
    else batch.push(file)
  }
  const runBatch = async (batch: readonly string[]) => {
    let sinceMs = performance.now()
    return await runTestProcess({
      ...run,
      environment: layer.isUncounted ? {} : run.environment,
      files: batch,
      timeoutMs: run.timeoutMs ?? layer.timeoutMs,
      onLine: (line) => {
        if (run.verbose) console.log(line)
      },
      onFile: (report) => {
        count(report, sinceMs)
        sinceMs = performance.now()
      },
    })
  }
  const runLane = async (...queues: string[][][]) => {
    for (const queue of queues) {
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
        const notStarted = await runBatch(batch)
        if (notStarted.length > 0) queue.unshift(notStarted)
      }
    }
  }
  const lanes = Array.from({ length: LANES }, () => runLane(others, waiting))
  await Promise.all([runLane(waiting), ...lanes])

  const elapsedMs = performance.now() - startedAt
  const counts = [
    `${total.passed - before.passed} passed`,
    `${total.failed - before.failed} failed`,
    `${total.skipped - before.skipped} skipped`,
    `${(elapsedMs / 1000).toFixed(1)} s`,
  ]
  console.log(`${layer.name}: ${counts.join(', ')}, on Node ${run.version}`)
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
function findTests(root: string, layer: string): string[] {
  const folder = join(root, 'tests', layer)
  if (!existsSync(folder)) return []
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => TEST_FILE.test(name))
    .map((name) => asTestFile(root, join(folder, name)))
  return [...new Set(files)].sort()
}

function asTestFile(root: string, file: string): string {
  return relative(root, resolve(root, file)).split(sep).join('/').replace(/\.ts$/, '.js')
}

function isOf(file: string, layer: string): boolean {
  return file.startsWith(`tests/${layer}/`)
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
