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
  readonly #underWay = new Map<string, number>()

  constructor(options: { answersPerUser: AnswersPerUser }) {
    this.#perUser = options.answersPerUser
  }

  /**
   * Takes a place for an answer.
   *
   * @param slots the number of slots for the model, of all processors that may be asked
   * @returns releases the place; further calls do nothing
   * @throws StarlingError RATE_LIMITED
   */
  take(userId: string, model: string, slots: number): () => void {
    const isAuto = this.#perUser === 'auto'
    const most = this.#perUser === 'auto' ? Math.max(1, slots - 1) : this.#perUser
    const key = isAuto ? `${userId} ${model}` : userId
    const underWay = this.#underWay.get(key) ?? 0
    if (underWay >= most) throw refused(underWay, isAuto ? ` with ${model}` : '')
    this.#underWay.set(key, underWay + 1)
    let isHeld = true
    return () => {
      if (isHeld) this.#leave(key)
      isHeld = false
    }
  }

  #leave(key: string): void {
    const left = (this.#underWay.get(key) ?? 0) - 1
    if (left > 0) this.#underWay.set(key, left)
    else this.#underWay.delete(key)
  }
}

function refused(underWay: number, withModel: string): StarlingError {
  const answers = underWay === 1 ? '1 answer' : `${underWay} answers`
  return new StarlingError(
    'RATE_LIMITED',
    `You have ${answers}${withModel} in progress, the most that one user may have at the same time`,
    { retryAfterMs: RETRY_AFTER_MS },
  )
}
