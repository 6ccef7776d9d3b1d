import { StarlingError } from '../../helpers/errors/starling-error.js'

/** When a refused user may try again. */
const RETRY_AFTER_MS = 1_000

/**
 * How many answers one user may have in progress at the same time. `auto`: per model, the slots of the
 * processors that serve it minus one, but at least one. A number: for all models together.
 */
export type AnswersPerUser = 'auto' | number

/**
 * Counts the answers that each user has in progress at this gateway. An answer occupies a slot of a
 * processor until its last token is read, so a user who does not read could otherwise occupy all slots.
 */
export class AnswerLimiter {
  readonly #perUser: AnswersPerUser
  readonly #inProgress = new Map<string, number>()

  constructor(options: { answersPerUser: AnswersPerUser }) {
    this.#perUser = options.answersPerUser
  }

  /**
   * Counts an answer.
   *
   * @param slots the number of slots for the model, of all processors that serve it
   * @returns ends the count; further calls do nothing
   * @throws StarlingError RATE_LIMITED
   */
  acquire(userId: string, model: string, slots: number): () => void {
    const isAuto = this.#perUser === 'auto'
    const max = this.#perUser === 'auto' ? Math.max(1, slots - 1) : this.#perUser
    const key = isAuto ? `${userId} ${model}` : userId
    const inProgress = this.#inProgress.get(key) ?? 0
    if (inProgress >= max) throw refused(inProgress, isAuto ? ` with ${model}` : '')
    this.#inProgress.set(key, inProgress + 1)
    let isHeld = true
    return () => {
      if (isHeld) this.#release(key)
      isHeld = false
    }
  }

  #release(key: string): void {
    const left = (this.#inProgress.get(key) ?? 0) - 1
    if (left > 0) this.#inProgress.set(key, left)
    else this.#inProgress.delete(key)
  }
}

function refused(inProgress: number, withModel: string): StarlingError {
  const answers = inProgress === 1 ? '1 answer' : `${inProgress} answers`
  return new StarlingError(
    'RATE_LIMITED',
    `You have ${answers}${withModel} in progress, the most that one user may have at the same time`,
    { retryAfterMs: RETRY_AFTER_MS },
  )
}
