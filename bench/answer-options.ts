import {
  type GenerationOptions,
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../helpers/protocol/generation-options.js'

/** The repeat penalty of both sides of a comparison. */
export const REPEAT_PENALTY = 1.1

/**
 * The options of every measured answer: greedy sampling and the repeat penalty on both sides, and nothing that the
 * catalogue recommends in addition, which the baseline does not compute.
 */
export const ANSWER_OPTIONS = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repeatPenalty: REPEAT_PENALTY,
  presencePenalty: 0,
  frequencyPenalty: 0,
  dryMultiplier: 0,
  allowRepetition: true,
  seed: 0,
} as const

/** The same options for an engine. */
export function answerOptions(options: GenerationOptionsInput): GenerationOptions {
  return generationOptionsSchema.parse({ ...ANSWER_OPTIONS, ...options })
}
