import { tokenText } from '../world/prompt.js'
import { Invariant } from './invariant.js'
import type { Observation } from './observation.js'

/** No answer has a gap, a doubled token or one of another answer, and one that ended well is complete. */
export class AnswersAreWhole extends Invariant {
  readonly name = 'answers-are-whole'
  readonly #answers = new Map<string, { readonly tokens: number; received: number }>()

  override observe(observation: Observation): void {
    if (observation.kind === 'asked') {
      this.#answers.set(observation.request, { tokens: observation.tokens, received: 0 })
    }
    if (observation.kind !== 'token' && observation.kind !== 'ended') return
    const { request } = observation
    const answer = this.#answers.get(request)
    if (answer === undefined) return
    if (observation.kind === 'token') {
      const { index, text } = observation
      const expected = tokenText(request, answer.received)
      if (index !== answer.received || text !== expected) {
        this.violated(
          `${request} got token ${index} "${text}" in place of ${answer.received} "${expected}"`,
        )
      }
      answer.received += 1
    } else if (observation.code === 'OK' && answer.received !== answer.tokens) {
      this.violated(`${request} ended after ${answer.received} of ${answer.tokens} tokens`)
    }
  }
}
