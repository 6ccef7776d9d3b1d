import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A bug that is not found within so many seeds counts as missed. */
const MOST_SEEDS = 2_000

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const PATCHES = fileURLToPath(new URL('planted/', import.meta.url))
/** What a copy needs to be compiled and to run the simulation. */
const COPIED = [
  ...['config', 'facilities', 'helpers', 'workers', 'tests/helpers', 'tests/simulation'],
  ...['package.json', 'tsconfig.json'],
]

/** One bug: a patch whose head says which invariants may find it. */
interface PlantedBug {
  readonly name: string
  readonly patch: string
  /** Their names, from the line `Invariant: …`, separated by commas. */
  readonly invariants: readonly string[]
}

/**
 * Plants each bug in a copy of the project, compiles it, and runs seeds until an invariant fails.
 *
 * @param only the name of one bug; default: all
 * @returns whether each was found by its invariant
 */
export async function runPlanted(only?: string): Promise<boolean> {
  const bugs = (await readBugs()).filter(({ name }) => only === undefined || name === only)
  if (bugs.length === 0) {
    console.log(`There is no planted bug called ${only}`)
    return false
  }
  let areFound = true
  for (const bug of bugs) {
    const folder = await mkdtemp(join(tmpdir(), 'starling-planted-'))
    try {
      const problem = await plant(bug, folder)
      const isFound = problem === null ? await isFoundIn(folder, bug) : fail(bug, problem)
      areFound &&= isFound
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return areFound
}

async function readBugs(): Promise<PlantedBug[]> {
  const names = (await readdir(PATCHES)).filter((name) => name.endsWith('.patch')).sort()
  return await Promise.all(
    names.map(async (file) => {
      const patch = join(PATCHES, file)
      const names = /^Invariant: (.+)$/m.exec(await readFile(patch, 'utf8'))?.[1]
      if (names === undefined) throw new Error(`${file} does not say "Invariant: …"`)
      return { name: basename(file, '.patch'), patch, invariants: names.split(', ') }
    }),
  )
}

/** Makes a copy with the bug. @returns why that failed, or null */
async function plant(bug: PlantedBug, folder: string): Promise<string | null> {
  for (const name of COPIED) {
    await cp(join(PROJECT, name), join(folder, name), {
      recursive: true,
      // The sources are compiled again.
      filter: (path) => !/\.(js|mjs)(\.map)?$/.test(path) || /\/workers\/[^/]+\.js$/.test(path),
    })
  }
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'))
  const run = promisify(execFile)
  try {
    await run('git', ['apply', '--whitespace=nowarn', bug.patch], { cwd: folder })
  } catch (error) {
    return (
      `its patch does not apply any more: make it again for the code as it is now\n` +
      `${error instanceof Error ? error.message : String(error)}`
    )
  }
  try {
    await run(process.execPath, [join(PROJECT, 'node_modules', '.bin', 'tsc'), '-p', '.'], {
      cwd: folder,
    })
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    return `it does not compile any more: make its patch again\n${output}`
  }
  return null
}

/** Runs seeds in the copy until one fails. */
async function isFoundIn(folder: string, bug: PlantedBug): Promise<boolean> {
  const command = join(folder, 'tests', 'simulation', 'run.js')
  const child = spawn(process.execPath, [command, '--json', '--seeds', String(MOST_SEEDS)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  const seed = /^seed (\d+) violates (\S+) \(after (\d+) seeds\):$/m.exec(output)
  if (seed === null) return fail(bug, `no seed of ${MOST_SEEDS} found it\n${output.slice(-2_000)}`)
  const [, , invariant = '', seeds] = seed
  if (!bug.invariants.includes(invariant)) {
    const expected = bug.invariants.join(' or ')
    return fail(bug, `${expected} was to find it, and ${invariant} did\n${output.slice(-2_000)}`)
  }
  console.log(`found ${bug.name}: by ${invariant}, after ${seeds} seeds`)
  return true
}

function fail(bug: PlantedBug, why: string): false {
  console.log(`NOT FOUND ${bug.name}: ${why}`)
  return false
}
