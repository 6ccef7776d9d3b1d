// The simulation: npm run simulate -- [--seeds N] [--seed S] [--minutes M] [--trace] [--planted [--only NAME]]
//   --seeds N    runs N seeds (default 100), one after the other from the first
//   --seed S     the first seed (default 1); alone: that seed only
//   --minutes M  as many seeds as it takes
//   --trace      prints every event
//   --planted    plants each known bug in a copy of the project, and says by which seed it is found
// A seed that fails prints its command and its last events. The exit code is 0 only when nothing failed.
import { parseArgs } from 'node:util'
import { runPlanted } from './planted-bugs.js'
import { type Outcome, simulate } from './simulate.js'

const MINUTE_MS = 60_000

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    trace: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

if (values.planted) {
  process.exitCode = (await runPlanted(values.only)) ? 0 : 1
} else {
  const first = wholeNumber('seed', values.seed ?? '1')
  const only = values.seed !== undefined && values.seeds === undefined
  const most = values.minutes === undefined ? (only ? 1 : 100) : Number.MAX_SAFE_INTEGER
  const seeds = values.seeds === undefined ? most : wholeNumber('seeds', values.seeds)
  const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY)
  process.exitCode = (await runSeeds(first, seeds, minutes * MINUTE_MS)) ? 0 : 1
}

/** @returns whether everything held */
async function runSeeds(first: number, seeds: number, timeMs: number): Promise<boolean> {
  const beganAtMs = performance.now()
  let virtualMs = 0
  let done = 0
  for (; done < seeds && performance.now() - beganAtMs < timeMs; done += 1) {
    const outcome = await simulate(first + done, values.trace ? console.log : undefined)
    virtualMs += outcome.virtualMs
    if (values.json && outcome.failure !== null) console.log(JSON.stringify(outcome.failure))
    if (outcome.failure !== null) {
      report(outcome, done + 1)
      return false
    }
    if (seeds === 1) console.log(`seed ${outcome.seed}: ${outcome.hash}`)
  }
  const seconds = (performance.now() - beganAtMs) / 1000
  console.log(
    `${done} seeds from ${first}: all held; ${(virtualMs / MINUTE_MS).toFixed(0)} min of virtual time ` +
      `in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(1)} seeds/s)`,
  )
  return true
}

function report({ seed, failure, tail, hash }: Outcome, done: number): void {
  console.log(tail.join('\n'))
  console.log(`\nseed ${seed} violates ${failure?.invariant} (after ${done} seeds):`)
  console.log(`  ${failure?.message}`)
  console.log(`  trace: ${hash}`)
  console.log(`  again: npm run simulate -- --seed ${seed}`)
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  console.error(`--${name} takes a whole number, not ${text}`)
  process.exit(2)
}
