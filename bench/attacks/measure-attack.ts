import { setTimeout as sleep } from 'node:timers/promises'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { type Spread, spreadOf } from '../measure.js'
import type { PreparedAttack } from './attack.js'

const ROUNDS = 3
/** How long operations are counted in each phase. A round has one phase without and one with the attack. */
const DEFAULT_PHASE_MS = 2_000
/** How long the first operation of a phase may take. */
const FIRST_LIMIT_MS = 5_000
/** How long the mesh may take to recover after an attack. The row ends if it takes longer. */
const RECOVERY_LIMIT_MS = 20_000
/** The pause after a failed operation, so that failures do not use more CPU time than answers. */
const FAILURE_PAUSE_MS = 50

/** The measurements without, or with, the attack. */
export interface Side {
  /** Operations per second in each phase. */
  readonly rates: number[]
  /** The time to the first answer of each phase in milliseconds, or null if there was none. */
  readonly firstAnswersMs: (number | null)[]
  /** How many operations failed, by error code. */
  readonly failures: Record<string, number>
}

/** The measured effect of an attack. */
export interface AttackMeasurement {
  readonly unattacked: Side
  readonly attacked: Side
  /** The rate under attack divided by the rate without it, for each round. */
  readonly ratio: Spread
  /** Whether the mesh recovered after each attack. */
  readonly recovered: boolean
}

/**
 * Measures the operations of regular clients without and with an attack. Each round has a phase of each; the
 * first round begins without the attack, the next one with it.
 */
export async function measureAttack(
  attack: PreparedAttack,
  signal: AbortSignal,
): Promise<AttackMeasurement> {
  const unattacked: Side = { rates: [], firstAnswersMs: [], failures: {} }
  const attacked: Side = { rates: [], firstAnswersMs: [], failures: {} }
  let recovered = await recover(attack, signal)
  for (let round = 0; round < ROUNDS && recovered; round += 1) {
    if (round % 2 === 0) await measurePhase(attack, unattacked, signal)
    await attack.start()
    try {
      await measurePhase(attack, attacked, signal)
    } finally {
      await attack.stop()
    }
    recovered = await recover(attack, signal)
    if (round % 2 === 1 && recovered) await measurePhase(attack, unattacked, signal)
  }
  const ratios = attacked.rates.flatMap((rate, round) => {
    const baseline = unattacked.rates[round]
    return baseline === undefined ? [] : [rate / baseline]
  })
  return { unattacked, attacked, ratio: spreadOf(ratios), recovered }
}

/** Measures the first operation alone, then the rate of the following ones. */
async function measurePhase(
  attack: PreparedAttack,
  side: Side,
  signal: AbortSignal,
): Promise<void> {
  side.firstAnswersMs.push(await firstAnswer(attack, side, signal))
  const { phaseMs = DEFAULT_PHASE_MS } = attack
  const ended = abortAfter(phaseMs, signal)
  let done = 0
  const member = async () => {
    while (!ended.aborted) {
      try {
        await attack.operation(ended)
        if (!ended.aborted) done += 1
      } catch (error) {
        if (ended.aborted) return
        count(side, error)
        await sleep(FAILURE_PAUSE_MS)
      }
    }
  }
  await Promise.all(Array.from({ length: attack.atOnce ?? 1 }, member))
  signal.throwIfAborted()
  side.rates.push((done / phaseMs) * 1000)
}

/** The time to the first answer, including failed operations before it. */
async function firstAnswer(
  attack: PreparedAttack,
  side: Side,
  signal: AbortSignal,
): Promise<number | null> {
  const startedAt = performance.now()
  const ended = abortAfter(FIRST_LIMIT_MS, signal)
  while (!ended.aborted) {
    const waitedMs = performance.now() - startedAt
    try {
      return waitedMs + (await attack.operation(ended))
    } catch (error) {
      if (ended.aborted) break
      count(side, error)
      await sleep(FAILURE_PAUSE_MS)
    }
  }
  signal.throwIfAborted()
  return null
}

/** Waits until operations succeed again. @returns whether they did within the limit */
async function recover(attack: PreparedAttack, signal: AbortSignal): Promise<boolean> {
  const ended = abortAfter(RECOVERY_LIMIT_MS, signal)
  for (let succeeded = 0; succeeded < 3; ) {
    try {
      await attack.operation(ended)
      succeeded += 1
    } catch {
      if (ended.aborted) break
      // Not counted: the mesh has not recovered yet.
      await sleep(FAILURE_PAUSE_MS)
    }
  }
  signal.throwIfAborted()
  return !ended.aborted
}

/**
 * A signal that is aborted after that time, or with `signal`. This is not AbortSignal.timeout in AbortSignal.any,
 * which Node 20 may collect as garbage before it fires.
 */
function abortAfter(limitMs: number, signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const end = () => controller.abort(new Error(`${limitMs} ms have passed`))
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
