import type { Random } from '../../../facilities/clock/random.js'
import type { MemoryWeather } from '../../helpers/network/memory/memory-network.js'
import type { Observation } from '../invariants/observation.js'
import type { ProcessorTraits } from '../processes/processor-program.js'
import type { DiskCondition } from '../processes/simulated-disk.js'

/** When a fault happens: at a time, or soon after something has been observed for the n-th time. */
export type FaultTime =
  | { readonly atMs: number }
  | { readonly after: Observation['kind']; readonly times: number; readonly delayMs: number }

/** What can happen to a mesh. `machine` is the number of one. */
export type FaultKind =
  | { readonly what: 'crash'; readonly machine: number; readonly isPowerCut: boolean }
  | { readonly what: 'leave' | 'stall'; readonly machine: number }
  /** These are on the other side, where the DHT is not. */
  | { readonly what: 'partition'; readonly machines: readonly number[] }
  /** One of the open connections breaks: the one with that number, counted round. */
  | { readonly what: 'cut'; readonly link: number }
  | { readonly what: 'weather'; readonly weather: MemoryWeather }
  /** The DHT is silent, and empty when it is back. */
  | { readonly what: 'dht' }
  | { readonly what: 'disk'; readonly condition: DiskCondition }

/** A fault, and how long it lasts. */
export type Fault = FaultKind & { readonly when: FaultTime; readonly forMs: number }

/** What a run consists of. Decided by its seed before it begins. */
export interface Plan {
  readonly gateways: number
  readonly clients: number
  readonly processors: readonly ProcessorTraits[]
  /** Requests that each client has in progress at the same time. */
  readonly lanes: number
  readonly streamWindowChunks: number
  readonly weather: MemoryWeather
  readonly disk: DiskCondition
  /** The history of auth's records is cut when it has more blocks. */
  readonly minHistoryBlocks: number
  readonly faults: readonly Fault[]
  /** From when on no new fault happens. */
  readonly calmAtMs: number
}

/** Faults in one run. */
const MOST_FAULTS = 5
/** The period in which they happen. */
const FAULTS_MS = { from: 300, until: 8_000 }
/** One run in so many has no fault. */
const CALM_RUNS = 6

/** Draws a plan. New draws come last, so that kept seeds keep their meaning for longer. */
export function drawPlan(random: Random): Plan {
  const between = (from: number, to: number) => from + random.below(to - from + 1)
  const gateways = between(1, 2)
  const clients = between(1, 2)
  const processors = Array.from({ length: between(1, 2) }, () => ({
    slots: between(1, 4),
    queueLength: between(0, 4),
    tokenMs: [0, 2, 10, 20][random.below(4)] ?? 0,
    loadMs: between(1, 300),
  }))
  const machines = 1 + gateways + processors.length + clients
  const count = random.below(CALM_RUNS) === 0 ? 0 : between(1, MOST_FAULTS)
  const faults = Array.from({ length: count }, () => drawFault(random, machines))
  return {
    gateways,
    clients,
    processors,
    lanes: between(1, 3),
    streamWindowChunks: [2, 4, 8, 16][random.below(4)] ?? 8,
    weather: { leastMs: 0.2, mostMs: [1, 5, 30][random.below(3)] ?? 1, lossRate: 0 },
    disk: { syncMs: [1, 5, 50, 400][random.below(4)] ?? 5, isFull: false },
    minHistoryBlocks: between(1, 20),
    faults,
    calmAtMs: count === 0 ? 3_000 : FAULTS_MS.until,
  }
}

function drawFault(random: Random, machines: number): Fault {
  const between = (from: number, to: number) => from + random.below(to - from + 1)
  const when = drawTime(random)
  const forMs = [50, 500, 2_000, 5_000][random.below(4)] ?? 500
  const base = { when, forMs: between(forMs / 2, forMs) }
  // Auth, the first machine, has what can be lost.
  const machine = random.below(3) === 0 ? 0 : random.below(machines)
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return { ...base, what: 'crash', machine, isPowerCut: random.below(2) === 0 }
    case 3:
      return { ...base, what: 'leave', machine }
    case 4:
      return { ...base, what: 'stall', machine }
    case 5:
    case 6:
      return { ...base, what: 'partition', machines: drawSome(random, machines) }
    case 7:
    case 8:
      return { ...base, what: 'cut', link: random.below(1_000) }
    case 9: {
      const weather = { leastMs: 1, mostMs: between(20, 300), lossRate: random.fraction() / 4 }
      return { ...base, what: 'weather', weather }
    }
    case 10:
      return { ...base, what: 'dht' }
    default: {
      const isFull = random.below(3) === 0
      return { ...base, what: 'disk', condition: { syncMs: between(20, 2_000), isFull } }
    }
  }
}

/** Half of the faults follow closely on something that they may interrupt. */
function drawTime(random: Random): FaultTime {
  const { from, until } = FAULTS_MS
  if (random.below(2) === 0) return { atMs: from + random.below(until - from) }
  const moments = [
    ['registering', 6],
    ['registered', 6],
    ['acknowledged', 6],
    ['asked', 20],
    ['generating', 20],
    ['token', 300],
    ['ended', 20],
  ] as const
  const [after, most] = moments[random.below(moments.length)] ?? moments[0]
  return { after, times: 1 + random.below(most), delayMs: random.below(60) }
}

function drawSome(random: Random, machines: number): number[] {
  const all = Array.from({ length: machines }, (_, machine) => machine)
  return all.filter(() => random.below(3) === 0)
}
