import { SystemRandom } from '../../facilities/clock/random.js'
import type { OfferedModel } from '../../helpers/protocol/processor-protocol.js'
import { VirtualClock } from '../../tests/helpers/clock/virtual-clock.js'
import { manyConnections, PeersStandIn } from '../../tests/helpers/network/peers-stand-in.js'
import { offeredModel } from '../../tests/helpers/workers/offered-models.js'
import { ProcessorDirectory } from '../../workers/gateway/processor-directory.js'
import { Router } from '../../workers/gateway/router.js'
import type { Comparison } from '../measure.js'

const MODEL = 'bench'
const FEW = 10
const MANY = [100, 1_000, 10_000]
const DECISIONS = 1_000_000
/** In this time, a gateway asks 10,000 processors for their load. */
const POLLED_MS = 11_000

/** The loads of processors with four slots, by their number. */
const LOADS: Readonly<Record<string, (index: number) => Partial<OfferedModel>>> = {
  'a fifth of them full': (index) => ({ running: index % 5 }),
  'all full': (index) => ({ running: 4, queued: index % 50, answerMs: 4_000 }),
}

/** A routing decision among many processors, compared with one among ten. */
export async function routingRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const opened: Decisions[] = []
  const open = async (count: number, load: (index: number) => Partial<OfferedModel>) => {
    const decisions = await openDecisions(count, load)
    opened.push(decisions)
    return decisions
  }
  const rows: Comparison[] = []
  for (const [state, load] of Object.entries(LOADS)) {
    const few = await open(FEW, load)
    for (const count of MANY) {
      const many = await open(count, load)
      rows.push({
        what: `routing decision among ${count} processors, ${state}`,
        against: `the same among ${FEW}`,
        unit: 'µs',
        goal: 'at most 2',
        compare: 'ratio',
        baseline: async () => meanUs(few),
        starling: async () => meanUs(many),
      })
    }
  }
  return {
    rows,
    close: async () => {
      for (const { close } of opened) await close()
    },
  }
}

/** Decisions of one gateway. */
interface Decisions {
  /** Chooses a processor, and counts the request until it has ended. */
  decide(): void
  close(): Promise<void>
}

async function openDecisions(
  count: number,
  load: (index: number) => Partial<OfferedModel>,
): Promise<Decisions> {
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const processors = new PeersStandIn('processor')
  const directory = new ProcessorDirectory({ processors, clock, random, loadIntervalMs: 500 })
  await directory.ready()
  const report = (index: number) => ({ models: [offeredModel(MODEL, load(index))] })
  for (const connection of manyConnections(count, report)) processors.connect(connection)
  await clock.advance(POLLED_MS)
  const known = directory.serving(MODEL)?.size
  if (known !== count) throw new Error(`${known} of ${count} processors are known`)
  const router = new Router({ directory, random })
  return {
    decide() {
      router.route(MODEL).begin()()
    },
    close: () => directory.close(),
  }
}

function meanUs({ decide }: Decisions): number {
  const startedAt = performance.now()
  for (let decision = 0; decision < DECISIONS; decision += 1) decide()
  return ((performance.now() - startedAt) / DECISIONS) * 1000
}
