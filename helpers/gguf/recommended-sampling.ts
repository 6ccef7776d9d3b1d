import { generationOptionsSchema } from '../protocol/generation.js'
import type { RecommendedSampling } from '../sampling.js'
import type { GgufMetadataValue } from './gguf-metadata.js'

/** Digits that a float32 holds for certain: 0.95 is stored as 0.949999988. */
const FLOAT32_DIGITS = 6

const { shape } = generationOptionsSchema

/**
 * What llama.cpp's converter takes from a model's `generation_config.json`, and its makers may set:
 * keys under `general.sampling`. The others of them have no option here (`sequence`, `xtc_…`,
 * `mirostat…`, `penalty_last_n`).
 *
 * @see https://github.com/ggml-org/llama.cpp/pull/17120
 */
const KEYS = {
  temperature: { key: 'general.sampling.temp', schema: shape.temperature },
  topP: { key: 'general.sampling.top_p', schema: shape.topP },
  topK: { key: 'general.sampling.top_k', schema: shape.topK },
  minP: { key: 'general.sampling.min_p', schema: shape.minP },
  repeatPenalty: { key: 'general.sampling.penalty_repeat', schema: shape.repeatPenalty },
} as const satisfies Partial<Record<keyof RecommendedSampling, object>>

/**
 * What the header of a model file recommends. A value that is no number, or that nobody could ask for,
 * counts as none: it is no reason not to use the model.
 */
export function recommendedSampling(
  metadata: ReadonlyMap<string, GgufMetadataValue>,
): RecommendedSampling {
  const found = Object.entries(KEYS).flatMap(([option, { key, schema }]) => {
    const value = metadata.get(key)
    if (value?.type !== 'number') return []
    const stored = Number(Number(value.value).toPrecision(FLOAT32_DIGITS))
    // As in llama.cpp, -1 considers all tokens.
    const number = option === 'topK' ? Math.max(stored, 0) : stored
    return schema.safeParse(number).success ? [[option, number] as const] : []
  })
  return Object.fromEntries(found)
}
