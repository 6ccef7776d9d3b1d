import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Result, spreadOf } from '../measure.js'
import { spawnMesh } from '../rows/spawned-mesh.js'
import { type Attack, type AttackContext, GOAL } from './attack.js'
import { ATTACKS } from './attacks.js'
import { type AttackMeasurement, measureAttack, type Side } from './measure-attack.js'

/** The result of an attack: the baseline is the rate without the attack, `starling` the rate under attack. */
export interface AttackResult extends Result {
  readonly attack: {
    /** The median time to the first answer of a phase in milliseconds, or null if there was none. */
    readonly firstAnswerMs: { readonly unattacked: number | null; readonly attacked: number | null }
    /** How many operations of regular clients failed, by error code. */
    readonly failures: { readonly unattacked: Failures; readonly attacked: Failures }
    readonly recovered: boolean
    readonly meetsGoal: boolean
    readonly notes: readonly string[]
  }
}

type Failures = Readonly<Record<string, number>>

/**
 * Measures all attacks, one after the other. Each has a mesh of its own, in the same home.
 *
 * @param only measures only the attacks whose names contain this text. Default: all
 */
export async function attackResults(signal: AbortSignal, only = ''): Promise<AttackResult[]> {
  const home = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const results: AttackResult[] = []
  try {
    for (const attack of ATTACKS.filter(({ name }) => name.includes(only))) {
      process.stderr.write(`${attack.name} …\n`)
      results.push(await measureRow(attack, home, signal))
    }
  } finally {
    await rm(home, { recursive: true, force: true })
  }
  return results
}

async function measureRow(
  attack: Attack,
  home: string,
  signal: AbortSignal,
): Promise<AttackResult> {
  signal.throwIfAborted()
  const { settings = {}, processors = 1 } = (await attack.mesh?.(home)) ?? {}
  const mesh = await spawnMesh({ settings, processors, home })
  const closing: (() => Promise<void>)[] = [() => mesh.close()]
  const context: AttackContext = { mesh, signal, cleanup: (close) => closing.push(close) }
  try {
    const prepared = await attack.prepare(context)
    const measured = await measureAttack(prepared, signal)
    return resultOf(attack, measured, prepared.notes())
  } finally {
    for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
  }
}

function resultOf(
  { name, unit }: Attack,
  { unattacked, attacked, ratio, recovered }: AttackMeasurement,
  notes: readonly string[],
): AttackResult {
  return {
    what: `attack: ${name}`,
    against: 'the same without the attack',
    unit,
    goal: `at least ${GOAL}`,
    compare: 'ratio',
    baseline: spreadOf(unattacked.rates),
    starling: spreadOf(attacked.rates),
    comparison: ratio,
    attack: {
      firstAnswerMs: {
        unattacked: medianDelay(unattacked),
        attacked: medianDelay(attacked),
      },
      failures: { unattacked: unattacked.failures, attacked: attacked.failures },
      recovered,
      meetsGoal: recovered && ratio.median >= GOAL,
      notes,
    },
  }
}

/** The median of all phases. A phase without an answer counts as an infinite delay. */
function medianDelay({ firstAnswersMs }: Side): number | null {
  const { median } = spreadOf(firstAnswersMs.map((ms) => ms ?? Number.POSITIVE_INFINITY))
  return Number.isFinite(median) ? Math.round(median * 10) / 10 : null
}
