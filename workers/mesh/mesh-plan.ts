import { type Environment, workerEnvironment } from '../../facilities/process/child-environment.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { MAX_PORT } from '../../helpers/upstream/server-address.js'
import type { WorkerPlan } from './mesh-worker.js'

/** Settings for the workers of a mesh. */
export interface PlanSettings {
  readonly processors: number
  /** The first of the ports for metrics, one per worker; 0: none. */
  readonly metricsPort: number
  /** The absolute path of a worker's entry. */
  readonly entry: (role: 'auth' | 'gateway' | 'processor') => string
  /** The flags of all workers. */
  readonly flags: readonly string[]
  /** The environment of the mesh. Each worker gets a part of it. */
  readonly environment: Environment
  /** Additional variables for processors. */
  readonly processorVariables: Readonly<Record<string, string>>
}

/**
 * A whole mesh: an auth worker, a gateway, and the configured number of processors.
 *
 * @throws StarlingError CONFIG_INVALID if there are too few ports above the first one for metrics
 */
export function planOf(settings: PlanSettings): WorkerPlan[] {
  const { processors, metricsPort, entry, flags, environment, processorVariables } = settings
  const worker = (name: string, role: 'auth' | 'gateway' | 'processor'): WorkerPlan => ({
    name,
    script: entry(role),
    flags,
    environment: {
      ...workerEnvironment(role, environment),
      ...(role === 'processor' && processorVariables),
    },
  })
  const plan = [
    worker('auth', 'auth'),
    worker('gateway', 'gateway'),
    ...Array.from({ length: processors }, (_, index) =>
      worker(index === 0 ? 'processor' : `processor-${index + 1}`, 'processor'),
    ),
  ]
  if (metricsPort === 0) return plan
  const lastPort = metricsPort + plan.length - 1
  if (lastPort > MAX_PORT) {
    throw new StarlingError(
      'CONFIG_INVALID',
      `metrics.port: ${plan.length} workers need the ports ${metricsPort} to ${lastPort}, and the ` +
        `highest port is ${MAX_PORT}`,
    )
  }
  // They cannot share the one that is configured.
  return plan.map((planned, index) => ({
    ...planned,
    flags: [...planned.flags, '--metrics-port', String(metricsPort + index)],
  }))
}

/**
 * The workers of a plan that have to be started. A running worker counts for any worker of its role.
 *
 * @param running the names of the running workers, such as `processor-2`
 */
export function missingFrom(
  plan: readonly WorkerPlan[],
  running: ReadonlySet<string>,
): WorkerPlan[] {
  const names = [...running]
  return [...new Set(plan.map(({ name }) => roleOf(name)))].flatMap((role) => {
    const wanted = plan.filter(({ name }) => roleOf(name) === role)
    const there = names.filter((name) => roleOf(name) === role).length
    const free = wanted.filter(({ name }) => !running.has(name))
    return free.slice(0, Math.max(0, wanted.length - there))
  })
}

/** The role in a name: `processor` for `processor-2`. */
function roleOf(name: string): string {
  return name.replace(/-\d+$/, '')
}
