import { homeToName } from '../../facilities/home/home.js'
import { commandIn } from '../../helpers/errors/advice.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { OfferedModel } from '../../helpers/protocol/processor-protocol.js'
import type { WorkerInfo } from '../../helpers/protocol/worker-protocol.js'
import { safeLine } from '../../helpers/text/terminal-text.js'
import {
  type FoundWorker,
  type MeshStatus,
  readMeshStatus,
  STATUS_ROLES,
  type UnreachedWorker,
} from './mesh-status.js'
import type { ClientTools } from './run-client.js'

/**
 * Shows the workers that were found, their load and, if known, why others are missing.
 *
 * @throws StarlingError GATEWAY_NOT_FOUND if no gateway was found
 */
export async function status({ host, network, output, signal }: ClientTools): Promise<undefined> {
  const survey = await readMeshStatus(network, { ...host, signal })
  const { mesh } = host.identity
  const home = host.home.directory
  const { address, isReachable } = survey.bootstrap
  output.line(
    `${'mesh'.padEnd(10)} ${mesh.slice(0, 12)}, home ${home}, ` +
      `bootstrap ${address} ${isReachable ? 'answers' : 'does not answer'}`,
    { type: 'mesh', mesh, home, bootstrap: survey.bootstrap },
  )
  for (const role of STATUS_ROLES) {
    const workers = survey.workers.filter((worker) => worker.role === role)
    const unreached = survey.unreached.filter((worker) => worker.role === role)
    for (const worker of workers) output.line(describeWorker(worker), { type: 'worker', ...worker })
    for (const worker of unreached) {
      output.line(describeUnreached(worker), { type: 'unreached', ...worker })
    }
    if (workers.length === 0) {
      const { reason, why } = whyMissing(survey, unreached, network.listed(role))
      const whatToDo = commandIn(homeToName(home), `node workers/${role}.js`)
      output.line(`${role.padEnd(10)} none found: ${why}; start one: ${whatToDo}`, {
        type: 'missing',
        role,
        reason,
        whatToDo,
      })
    }
  }
  if (!survey.workers.some(({ role }) => role === 'gateway')) {
    throw new StarlingError('GATEWAY_NOT_FOUND', 'Without a gateway, no request can be answered')
  }
}

function describeWorker({ role, name, info, load, error }: FoundWorker): string {
  const up = info && `${info.version}, up ${(info.uptimeMs / 1000).toFixed(0)} s`
  const busy = load && `, ${load.models.map(describeOffer).join('; ') || 'model not loaded yet'}`
  const state = `${up ?? error}${busy ?? ''}${describeHealth(info)}`
  return safeLine(`${role.padEnd(10)} ${name.padEnd(30)} ${state}`)
}

/** The problems of a worker; empty if there are none. */
function describeHealth(info: WorkerInfo | undefined): string {
  return (info?.problems ?? [])
    .map(({ code, message, blocks }) => {
      return `; ${blocks ? 'not ready' : 'degraded'}: ${message} (${code})`
    })
    .join('')
}

function describeOffer(offer: OfferedModel): string {
  const { name, isLoaded, running, slots, queued, hindrance } = offer
  if (hindrance === 'failure') return `${name}, not available`
  const busy = isLoaded ? `${running}/${slots} busy, ${queued} waiting` : 'loaded on demand'
  return `${name}, ${busy}`
}

function describeUnreached({ role, key, code }: UnreachedWorker): string {
  const why = code === null ? 'does not answer' : `could not be reached: ${code}`
  return `${role.padEnd(10)} ${`key ${key}`.padEnd(30)} has announced itself but ${why}`
}

/** Why no worker of a role was found, if this client can determine it. */
function whyMissing(
  { bootstrap }: MeshStatus,
  unreached: readonly UnreachedWorker[],
  listed: number,
): { reason: 'bootstrapUnreachable' | 'listed' | 'notAnnounced' | 'unreachable'; why: string } {
  if (unreached.length > 0) {
    return { reason: 'unreachable', why: 'the announced workers could not be reached' }
  }
  if (!bootstrap.isReachable) {
    return {
      reason: 'bootstrapUnreachable',
      why: `no worker of this machine holds ${bootstrap.address}, through which workers find each other`,
    }
  }
  if (listed > 0) {
    const why = `the roster lists ${listed}, but the node at ${bootstrap.address} knows none of them`
    return { reason: 'listed', why }
  }
  return { reason: 'notAnnounced', why: 'no such worker has announced itself in this mesh' }
}
