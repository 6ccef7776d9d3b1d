import { z } from 'zod'
import { parseModelJson } from '../model-package.js'

/** Far beyond any model of this family: larger numbers mean a damaged file. */
const size = z.number().int().min(1).max(1_048_576)

/** The keys of config.json that the conversion reads; it has others, which are not needed. */
const schema = z.object({
  model_type: z.literal('llama'),
  attention_bias: z.literal(false),
  mlp_bias: z.literal(false),
  hidden_act: z.literal('silu'),
  rope_scaling: z.null(),
  tie_word_embeddings: z.literal(true),
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size.max(1024),
  num_attention_heads: size,
  num_key_value_heads: size,
  head_dim: size,
  max_position_embeddings: size,
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive(),
  bos_token_id: z.number().int().nonnegative(),
  eos_token_id: z.number().int().nonnegative(),
})

/** The shape of the network, from the config.json of a Hugging Face llama model. */
export interface MinimindConfig {
  readonly vocabularySize: number
  readonly embeddingLength: number
  readonly feedForwardLength: number
  readonly blockCount: number
  readonly headCount: number
  readonly keyValueHeadCount: number
  /** The length of one head's query, key and value. */
  readonly headLength: number
  readonly contextTokens: number
  readonly normEpsilon: number
  readonly ropeBase: number
  readonly beginTokenId: number
  readonly endTokenId: number
}

/**
 * @throws StarlingError MODEL_INVALID when the text is not JSON, or describes a network that this
 *   conversion does not know (biases, scaled positions, a separate output matrix)
 */
export function readMinimindConfig(file: Uint8Array): MinimindConfig {
  const config = parseModelJson('config.json', file, schema)
  return {
    vocabularySize: config.vocab_size,
    embeddingLength: config.hidden_size,
    feedForwardLength: config.intermediate_size,
    blockCount: config.num_hidden_layers,
    headCount: config.num_attention_heads,
    keyValueHeadCount: config.num_key_value_heads,
    headLength: config.head_dim,
    contextTokens: config.max_position_embeddings,
    normEpsilon: config.rms_norm_eps,
    ropeBase: config.rope_theta,
    beginTokenId: config.bos_token_id,
    endTokenId: config.eos_token_id,
  }
}
