import type { GgufKeys } from './gguf-keys.js'
import {
  CONTEXT_RANGE,
  FEED_FORWARD_RANGE,
  type Hyperparameters,
  LENGTH_RANGE,
  MAX_LAYERS,
  OPTIONAL_LENGTH_RANGE,
} from './hyperparameters.js'

/**
 * The hyperparameters of an architecture whose rules are not known here: those by which the memory is
 * estimated that a model takes. What else it needs, and whether it runs at all, llama.cpp says, in a
 * process that may end at it.
 *
 * @throws StarlingError MODEL_INVALID, naming the key
 */
export function outlineOf(keys: GgufKeys, architecture: string): Hyperparameters {
  const key = (name: string) => `${architecture}.${name}`
  const layers = keys.requiredWhole(key('block_count'), { least: 1, most: MAX_LAYERS })
  const embeddingLength = keys.requiredWhole(key('embedding_length'), LENGTH_RANGE)
  const none = new Array<number>(layers).fill(0)
  const headCounts =
    keys.perLayer(key('attention.head_count'), layers, OPTIONAL_LENGTH_RANGE) ?? none
  const heads = Math.max(...headCounts)
  const perHead = heads === 0 ? 0 : Math.ceil(embeddingLength / heads)
  const keyLength = keys.whole(key('attention.key_length'), LENGTH_RANGE) ?? perHead
  return {
    contextTokens: keys.requiredWhole(key('context_length'), CONTEXT_RANGE),
    layers,
    embeddingLength,
    embeddingLengthOut: embeddingLength,
    feedForwardLengths:
      keys.perLayer(key('feed_forward_length'), layers, FEED_FORWARD_RANGE) ?? none,
    headCounts,
    headCountsKv:
      keys.perLayer(key('attention.head_count_kv'), layers, OPTIONAL_LENGTH_RANGE) ?? headCounts,
    keyLength,
    valueLength: keys.whole(key('attention.value_length'), LENGTH_RANGE) ?? perHead,
    ropeDimensions: keyLength,
    experts: 0,
    poolingType: undefined,
  }
}
