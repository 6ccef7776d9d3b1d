import { float32Bytes, modelMessage, nodeMessage, tensorMessage } from './protobuf-encoder.js'

/** A network of one block in the shape of MiniMind: a stand-in for the real package. */
export const TINY_CONFIG = {
  model_type: 'llama',
  attention_bias: false,
  mlp_bias: false,
  hidden_act: 'silu',
  rope_scaling: null,
  tie_word_embeddings: true,
  vocab_size: 4,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  bos_token_id: 1,
  eos_token_id: 2,
}

export const TINY_TOKENIZER = {
  added_tokens: [
    { id: 0, content: '<|endoftext|>', special: true },
    { id: 1, content: '<|im_start|>', special: true },
    { id: 2, content: '<tag>', special: false },
  ],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  post_processor: null,
  model: {
    type: 'BPE',
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    byte_fallback: false,
    ignore_merges: false,
    vocab: { '<|endoftext|>': 0, '<|im_start|>': 1, a: 3 } as Record<string, number>,
    merges: [['Ġ', 'a']],
  },
}

export const TINY_TOKENIZER_CONFIG = {
  add_bos_token: false,
  add_eos_token: false,
  clean_up_tokenization_spaces: false,
  pad_token: '<|endoftext|>',
  unk_token: '<|endoftext|>',
  chat_template: '{{ messages }}',
}

/** The projections of a block: name, inputs, outputs. */
const PROJECTIONS: readonly (readonly [string, number, number])[] = [
  ['self_attn/q_proj', 32, 64],
  ['self_attn/k_proj', 32, 32],
  ['self_attn/v_proj', 32, 32],
  ['self_attn/o_proj', 64, 32],
  ['mlp/gate_proj', 32, 64],
  ['mlp/up_proj', 32, 64],
  ['mlp/down_proj', 64, 32],
]

/** The eight-bit weight of a projection between an input and an output, determined by its position. */
export function tinyWeight(projection: number, input: number, output: number): number {
  return ((projection * 31 + input * 7 + output * 3) % 255) - 127
}

/** The embedding of a token as stored in the file: unsigned, with zero point 128. */
export function tinyEmbedding(token: number, column: number): number {
  return (token * 64 + column * 3) % 256
}

export const TINY_SCALE = 0.00390625

function quantized(name: string, dimensions: readonly number[], type: number, raw: Uint8Array) {
  return [
    tensorMessage(`${name}_quantized`, dimensions, type, raw),
    tensorMessage(`${name}_scale`, [], 1, float32Bytes([TINY_SCALE])),
    tensorMessage(`${name}_zero_point`, [], type, Uint8Array.of(type === 2 ? 128 : 0)),
  ]
}

/** The ONNX file, complete or without the named tensors. */
export function tinyOnnx(without: readonly string[] = []): Uint8Array {
  const nodes: Uint8Array[] = []
  const tensors = new Map<string, readonly Uint8Array[]>()
  const embedding = Uint8Array.from({ length: 4 * 32 }, (_, index) =>
    tinyEmbedding(Math.floor(index / 32), index % 32),
  )
  tensors.set('embedding', quantized('model.embed_tokens.weight', [4, 32], 2, embedding))
  for (const [index, [name, inputs, outputs]] of PROJECTIONS.entries()) {
    const raw = Uint8Array.from({ length: inputs * outputs }, (_, at) =>
      tinyWeight(index, Math.floor(at / outputs), at % outputs),
    )
    const weights = `onnx::MatMul_${100 + index}`
    tensors.set(name, quantized(weights, [inputs, outputs], 3, raw))
    nodes.push(
      nodeMessage(
        `/model/layers.0/${name}/MatMul_quant`,
        'MatMulInteger',
        ['x', `${weights}_quantized`, 'z', `${weights}_zero_point`],
        ['y'],
      ),
    )
  }
  const norms = ['layers.0.input_layernorm', 'layers.0.post_attention_layernorm', 'norm']
  for (const [index, norm] of norms.entries()) {
    const values = new Array<number>(32).fill(index + 0.5)
    tensors.set(norm, [tensorMessage(`model.${norm}.weight`, [32], 1, float32Bytes(values))])
  }
  for (const name of without) tensors.delete(name)
  return modelMessage(nodes, [...tensors.values()].flat())
}

/** The package, with some of its files replaced. */
export function tinyMinimind(changed: Record<string, unknown> = {}): Map<string, Uint8Array> {
  const files: Record<string, unknown> = {
    'config.json': TINY_CONFIG,
    'tokenizer.json': TINY_TOKENIZER,
    'tokenizer_config.json': TINY_TOKENIZER_CONFIG,
    'onnx/model_quantized.onnx': tinyOnnx(),
    ...changed,
  }
  return new Map(
    Object.entries(files).map(([path, contents]) => [
      path,
      contents instanceof Uint8Array ? contents : Buffer.from(JSON.stringify(contents)),
    ]),
  )
}
