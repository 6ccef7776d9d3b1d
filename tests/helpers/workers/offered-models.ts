import type { Clock } from '../../../facilities/clock/clock.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { Engine } from '../../../facilities/engine/engine.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import type {
  ModelDetails,
  OfferedModel,
  ProcessorLoad,
} from '../../../helpers/protocol/processor-protocol.js'
import { EnginePool } from '../../../workers/processor/engine-pool.js'
import { SoleBudget } from '../../../workers/processor/memory-budget.js'

/** A pool of one engine, whose model has the name of a scripted engine's model, or `tiny`. */
export function poolOf(
  engine: Engine,
  options: {
    slots?: number | undefined
    queueLength?: number | undefined
    model?: string | undefined
    details?: ModelDetails
    clock?: Clock
  } = {},
): EnginePool {
  const { slots = 4, queueLength = 4, details = {}, clock = new SystemClock() } = options
  const named = engine instanceof ScriptedEngine ? engine.model : 'tiny'
  const model = options.model ?? named
  return new EnginePool({
    offers: [{ model, engine, slots, describe: async () => details }],
    budget: new SoleBudget(Number.MAX_SAFE_INTEGER),
    queueLength,
    clock,
  })
}

/** A loaded model as an idle processor offers it. */
export function offeredModel(name: string, changes: Partial<OfferedModel> = {}): OfferedModel {
  return {
    name,
    isLoaded: true,
    slots: 4,
    running: 0,
    queued: 0,
    queueLength: 64,
    // The time to read a model of some gigabytes.
    loadMs: changes.isLoaded === false ? 8_000 : 0,
    displacedMs: 0,
    ...changes,
  }
}

/** The load of a processor with all its models. */
export function busyOf(load: ProcessorLoad): { running: number; queued: number } {
  return {
    running: load.models.reduce((sum, { running }) => sum + running, 0),
    queued: load.models.reduce((sum, { queued }) => sum + queued, 0),
  }
}
