import {
  type GenerationOptions,
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../helpers/protocol/generation.js'

/** How often the raw side and ours hold a token against itself that has come before. */
export const REPEAT_PENALTY = 1.1

/** What every answer that is measured is asked for with: both sides choose the likeliest token. */
export const ANSWER_OPTIONS = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repeatPenalty: REPEAT_PENALTY,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 0,
} as const

/** The same for an engine. */
export function answerOptions(options: GenerationOptionsInput): GenerationOptions {
  return generationOptionsSchema.parse({ ...ANSWER_OPTIONS, ...options })
}
