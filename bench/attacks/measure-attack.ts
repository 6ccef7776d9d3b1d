import { setTimeout as sleep } from 'node:timers/promises'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { type Spread, spreadOf } from '../measure.js'
import type { Scene } from './attack.js'

const ROUNDS = 3
/** For how long honest operations are counted, without and with the attack in each round. */
const DEFAULT_PHASE_MS = 2_000
/** How long the first honest operation of a phase may take. */
const FIRST_LIMIT_MS = 5_000
/** How long the mesh may take to serve again after an attack, before the row is given up. */
const RECOVERY_LIMIT_MS = 20_000
/** A failed operation is not repeated at once, or failures would compute more than answers do. */
const AFTER_FAILURE_MS = 50

/** One of the two sides of a row. */
export interface Side {
  /** Honest operations a second. */
  readonly rates: number[]
  /** The delays of the first answers of the phases, in milliseconds; null where none came. */
  readonly firstAnswersMs: (number | null)[]
  /** Honest operations that failed, by error code. */
  readonly failures: Record<string, number>
}

/** What an attack was measured to do. */
export interface AttackMeasurement {
  readonly unattacked: Side
  readonly attacked: Side
  /** What honest members keep of their rate, round by round. */
  readonly kept: Spread
  /** Whether the mesh served again after each attack. */
  readonly recovered: boolean
}

/**
 * Measures what honest members do without and with an attack, in turn. Each round has a phase of both; the
 * first round begins without the attack, the next one with it.
 */
export async function measureAttack(scene: Scene, signal: AbortSignal): Promise<AttackMeasurement> {
  const unattacked: Side = { rates: [], firstAnswersMs: [], failures: {} }
  const attacked: Side = { rates: [], firstAnswersMs: [], failures: {} }
  let recovered = await recover(scene, signal)
  for (let round = 0; round < ROUNDS && recovered; round += 1) {
    if (round % 2 === 0) await measurePhase(scene, unattacked, signal)
    await scene.start()
    try {
      await measurePhase(scene, attacked, signal)
    } finally {
      await scene.stop()
    }
    scene.onPhase?.(true)
    recovered = await recover(scene, signal)
    if (round % 2 === 1 && recovered) await measurePhase(scene, unattacked, signal)
    scene.onPhase?.(false)
  }
  const kept = attacked.rates.flatMap((rate, round) => {
    const usual = unattacked.rates[round]
    return usual === undefined ? [] : [rate / usual]
  })
  return { unattacked, attacked, kept: spreadOf(kept), recovered }
}

/** The first operation on its own, then the rate of all that follow. */
async function measurePhase(scene: Scene, side: Side, signal: AbortSignal): Promise<void> {
  side.firstAnswersMs.push(await firstAnswer(scene, side, signal))
  const { phaseMs = DEFAULT_PHASE_MS } = scene
  const over = within(phaseMs, signal)
  let done = 0
  const member = async () => {
    while (!over.aborted) {
      try {
        await scene.honest(over)
        if (!over.aborted) done += 1
      } catch (error) {
        if (over.aborted) return
        count(side, error)
        await sleep(AFTER_FAILURE_MS)
      }
    }
  }
  await Promise.all(Array.from({ length: scene.atOnce ?? 1 }, member))
  signal.throwIfAborted()
  side.rates.push((done / phaseMs) * 1000)
}

/** How long the first answer takes to come, failed operations included. */
async function firstAnswer(scene: Scene, side: Side, signal: AbortSignal): Promise<number | null> {
  const startedAt = performance.now()
  const over = within(FIRST_LIMIT_MS, signal)
  while (!over.aborted) {
    const waitedMs = performance.now() - startedAt
    try {
      return waitedMs + (await scene.honest(over))
    } catch (error) {
      if (over.aborted) break
      count(side, error)
      await sleep(AFTER_FAILURE_MS)
    }
  }
  signal.throwIfAborted()
  return null
}

/** Waits until honest operations succeed. @returns whether they did within the limit */
async function recover(scene: Scene, signal: AbortSignal): Promise<boolean> {
  const over = within(RECOVERY_LIMIT_MS, signal)
  for (let succeeded = 0; succeeded < 3; ) {
    try {
      await scene.honest(over)
      succeeded += 1
    } catch {
      if (over.aborted) break
      // Still suffering: it counts in neither phase.
      await sleep(AFTER_FAILURE_MS)
    }
  }
  signal.throwIfAborted()
  return !over.aborted
}

/**
 * Aborted after that time, or with `signal`. Not AbortSignal.timeout within AbortSignal.any: Node 20 may
 * collect it as garbage before it has fired.
 */
function within(limitMs: number, signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const end = () => controller.abort(new Error(`${limitMs} ms are over`))
  const timer = setTimeout(end, limitMs)
  controller.signal.addEventListener('abort', () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  })
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return controller.signal
}

function count({ failures }: Side, error: unknown): void {
  const code = isStarlingError(error) ? error.code : 'failed'
  failures[code] = (failures[code] ?? 0) + 1
}
