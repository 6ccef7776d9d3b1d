import type { GenerationOptions } from '../protocol/generation-options.js'

/** The sampling options of {@link GenerationOptions}. */
export interface Sampling {
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly repeatPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  readonly dryMultiplier: number
  readonly dryBase: number
  readonly dryAllowedLength: number
}

/** The sampling options that the makers of a model recommend. */
export type RecommendedSampling = Partial<Sampling>

/** Options with every value set. */
export type EffectiveOptions = Omit<GenerationOptions, keyof Sampling | 'seed'> &
  Sampling & { readonly seed: number }

/**
 * The defaults of llama.cpp, for models without recommended sampling.
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
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
}

/**
 * Sets the options that a request leaves out: to the recommended value, or to the default if there is none.
 */
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
    dryMultiplier: asked.dryMultiplier ?? sampling.dryMultiplier,
    dryBase: asked.dryBase ?? sampling.dryBase,
    dryAllowedLength: asked.dryAllowedLength ?? sampling.dryAllowedLength,
    seed,
  }
}
