import type { EngineProgress } from '../../facilities/engine/llama/llama-messages.js'
import type { Log } from '../../facilities/log/log.js'
import type { ModelProgress } from '../../facilities/models/model-progress.js'
import { tellParent } from '../../facilities/process/parent-channel.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ModelServerStatus } from './model-server-status.js'
import type { ServerWatch } from './server-watch.js'

/** The longest notice for the parent process. */
const MAX_NOTICE_CHARACTERS = 2_000

/** The longest model name that is shown. */
const SHOWN_CHARACTERS = 100

/** The steps of preparing a model. */
const STEPS: Readonly<Record<string, string>> = {
  waiting: 'waiting for another process that prepares it',
  inspecting: 'reading its header',
  verifying: 'checking its files',
  fetching: 'downloading',
  converting: 'converting',
  writing: 'writing to disk',
} satisfies Record<Exclude<ModelProgress['phase'], 'ready'>, string>

/**
 * Notifies users: in the log, and on the terminal of a mesh.
 *
 * @param tell sends a message to the parent process
 */
export function noticesOf(log: Log, tell: typeof tellParent = tellParent): (text: string) => void {
  return (text) => {
    log.info(text)
    tell({ kind: 'notice', text: text.slice(0, MAX_NOTICE_CHARACTERS) })
  }
}

/** Reports when the servers of a processor stop answering, and when they answer again. */
export function reportServers(servers: ServerWatch, notify: (text: string) => void): void {
  servers.on('down', ({ title, hasListed }: ModelServerStatus, { message }: StarlingError) =>
    notify(`${hasListed ? 'Lost' : 'Waiting for'} ${title}: ${message}`),
  )
  servers.on('up', ({ title, url }: ModelServerStatus) => notify(`Back: ${title} at ${url}`))
  servers.on('found', ({ title, url }: ModelServerStatus) => notify(`Found ${title} at ${url}`))
  servers.on('refused', (names: readonly string[]) =>
    notify(`Not served, because other models have their names: ${names.join(', ')}`),
  )
}

/**
 * Reports the progress of preparing and loading models: continuously to the parent process, and once for
 * each step in the log.
 *
 * @param tell sends a message to the parent process
 */
export function reportPreparation(
  log: Log,
  tell: typeof tellParent = tellParent,
): (progress: EngineProgress, model: string) => void {
  const latest = new Map<string, string>()
  return ({ phase, fraction, note }, model) => {
    // Loading follows at once.
    if (phase === 'ready') return
    const name = model.slice(0, SHOWN_CHARACTERS)
    const step = STEPS[phase]
    const activity =
      step === undefined ? `loading ${name} into memory` : `preparing ${name} (${step})`
    tell({ kind: 'progress', activity, fraction: Math.min(1, Math.max(0, fraction)) })
    if (latest.get(model) === phase && note === undefined) return
    latest.set(model, phase)
    log.info({ note }, activity)
  }
}
