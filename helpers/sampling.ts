import type { GenerationOptions } from './protocol/generation.js'

/** How the next token is chosen, by the names of {@link GenerationOptions}. */
export interface Sampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly repeatPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
}

/** What a model's makers recommend; what they do not mention is left out. */
export type RecommendedSampling = Partial<Sampling>

/** Options of an answer with nothing left open. */
export type EffectiveOptions = Omit<GenerationOptions, keyof Sampling | 'seed'> &
  Sampling & { readonly seed: number }

/**
 * What llama.cpp samples by when neither the model nor its user says anything: the model's makers
 * tried it with that, if with anything.
 *
 * @see https://github.com/ggml-org/llama.cpp/blob/master/common/common.h common_params_sampling
 */
export const USUAL_SAMPLING: Sampling = {
  temperature: 0.8,
  topP: 0.95,
  topK: 40,
  minP: 0.05,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
}

/** The options of a request; for each that it leaves out the model's own, or else the usual one. */
export function effectiveOptions(
  options: GenerationOptions,
  recommended: RecommendedSampling,
  drawSeed: () => number,
): EffectiveOptions {
  const { seed = drawSeed(), ...asked } = options
  const sampling = { ...USUAL_SAMPLING, ...recommended }
  return {
    ...asked,
    temperature: asked.temperature ?? sampling.temperature,
    topP: asked.topP ?? sampling.topP,
    topK: asked.topK ?? sampling.topK,
    minP: asked.minP ?? sampling.minP,
    repeatPenalty: asked.repeatPenalty ?? sampling.repeatPenalty,
    presencePenalty: asked.presencePenalty ?? sampling.presencePenalty,
    frequencyPenalty: asked.frequencyPenalty ?? sampling.frequencyPenalty,
    seed,
  }
}
