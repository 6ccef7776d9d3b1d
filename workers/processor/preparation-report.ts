import type { EngineProgress } from '../../facilities/engine/llama-messages.js'
import type { Log } from '../../facilities/log/log.js'
import { tellParent } from '../../facilities/process/parent.js'

/** Of a model's name: more would not fit beside what happens to it. */
const SHOWN_CHARACTERS = 100

/** What happens to the file of a model, in words for people. */
const STEPS: Readonly<Record<string, string>> = {
  waiting: 'waiting for another process that prepares it',
  verifying: 'checking its files',
  fetching: 'downloading',
  converting: 'converting',
  writing: 'writing to disk',
}

/**
 * Says how far models are on their way into memory: to the process that started this one again and
 * again, and once for each step in the log.
 *
 * @param tell how the parent is told; a test listens otherwise
 */
export function reportPreparation(
  log: Log,
  tell: typeof tellParent = tellParent,
): (progress: EngineProgress, model: string) => void {
  const latest = new Map<string, string>()
  return ({ phase, fraction, note }, model) => {
    // What comes next says as much.
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
