import { z } from 'zod'
import { parseModelJson } from '../model-package.js'

/** Far beyond any model of this family: larger numbers mean a damaged file. */
const size = z.number().int().min(1).max(1_048_576)

/** The keys of config.json that the conversion reads; it has others, which are not needed. */
const schema = z.object({
  model_type: z.literal('bert'),
  hidden_act: z.literal('gelu'),
  position_embedding_type: z.literal('absolute'),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size,
  max_position_embeddings: size,
  type_vocab_size: size.max(16),
  layer_norm_eps: z.number().positive(),
})

/** The shape of the network, from the config.json of a Hugging Face BERT model. */
export interface MinilmConfig {
  readonly vocabularySize: number
  readonly embeddingLength: number
  readonly feedForwardLength: number
  readonly blockCount: number
  readonly headCount: number
  readonly contextTokens: number
  /** The number of token types (segments) in one input. */
  readonly tokenTypes: number
  readonly normEpsilon: number
}

/**
 * @throws StarlingError MODEL_INVALID when the text is not JSON, or describes a network that this
 *   conversion does not know
 */
export function readMinilmConfig(file: Uint8Array): MinilmConfig {
  const config = parseModelJson('config.json', file, schema)
  return {
    vocabularySize: config.vocab_size,
    embeddingLength: config.hidden_size,
    feedForwardLength: config.intermediate_size,
    blockCount: config.num_hidden_layers,
    headCount: config.num_attention_heads,
    contextTokens: config.max_position_embeddings,
    tokenTypes: config.type_vocab_size,
    normEpsilon: config.layer_norm_eps,
  }
}
