import type { GgufMetadataValue } from '../models/gguf/gguf-metadata.js'
import { generationOptionsSchema } from '../protocol/generation.js'
import type { RecommendedSampling } from './sampling.js'

/** The decimal digits that a float32 preserves: 0.95 is stored as 0.949999988. */
const FLOAT32_DIGITS = 6

const { shape } = generationOptionsSchema

/**
 * The keys that llama.cpp's converter writes from a model's `generation_config.json`. The others under
 * `general.sampling` have no corresponding option here: `sequence`, `xtc_…`, `mirostat…` and
 * `penalty_last_n`.
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
 * The sampling that the header of a model file recommends. Values of another type or out of the bounds
 * of a request are ignored; they are no reason to refuse the model.
 */
export function recommendedSampling(
  metadata: ReadonlyMap<string, GgufMetadataValue>,
): RecommendedSampling {
  const found = Object.entries(KEYS).flatMap(([option, { key, schema }]) => {
    const value = metadata.get(key)
    if (value?.type !== 'number') return []
    const stored = Number(Number(value.value).toPrecision(FLOAT32_DIGITS))
    // In llama.cpp a negative number stands for all tokens.
    const number = option === 'topK' ? Math.max(stored, 0) : stored
    return schema.safeParse(number).success ? [[option, number] as const] : []
  })
  return Object.fromEntries(found)
}
