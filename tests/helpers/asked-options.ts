import {
  type GenerationOptions,
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../helpers/protocol/generation.js'

/** Options that leave nothing to the model: the likeliest token, and a little less often a repeated one. */
export const GREEDY = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repeatPenalty: 1.1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 0,
} as const

/** What tests ask an engine for unless they say otherwise. */
export function optionsOf(options: GenerationOptionsInput = {}): GenerationOptions {
  return generationOptionsSchema.parse({ ...GREEDY, ...options })
}
