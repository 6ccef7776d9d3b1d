import { encodeGguf, type GgufTensor } from '../../../helpers/models/gguf/gguf-file.js'
import type { GgufValue } from '../../../helpers/models/gguf/gguf-value.js'

const EMBEDDING = 32
const FEED_FORWARD = 64
const HEADS = 2
const HEADS_KV = 1
const KEY = 16
const LAYERS = 2
const CONTEXT = 64

const whole = (value: number): GgufValue => ({ type: 'uint32', value })
const real = (value: number): GgufValue => ({ type: 'float32', value })
const text = (value: string): GgufValue => ({ type: 'string', value })
const texts = (value: readonly string[]): GgufValue => ({ type: 'strings', value })

/** The architectures that {@link syntheticGguf} makes: those whose tensors are all checked. */
export type SyntheticKind = 'llama' | 'qwen2' | 'bert'

/**
 * A complete model of a few thousand weights that llama.cpp loads. Its output is meaningless, and it takes
 * no time. `llama` has a SentencePiece vocabulary and q8_0 weights, `qwen2` a byte-level BPE vocabulary,
 * `bert` is an embedding model.
 */
export function syntheticGguf(kind: SyntheticKind): Uint8Array {
  const tokenizer = TOKENIZERS[kind]()
  const vocabulary = tokenizer.get('tokenizer.ggml.tokens')
  const tokens = vocabulary?.type === 'strings' ? vocabulary.value.length : 0
  return encodeGguf({
    metadata: new Map([
      ['general.architecture', text(kind)],
      ['general.name', text(`Synthetic ${kind}`)],
      ['general.license', text('CC0-1.0')],
      ...networkMetadata(kind),
      ...tokenizer,
    ]),
    tensors: kind === 'bert' ? bertTensors(tokens) : decoderTensors(kind, tokens),
  })
}

function networkMetadata(kind: SyntheticKind): ReadonlyMap<string, GgufValue> {
  const entries: [string, GgufValue][] = [
    ['context_length', whole(CONTEXT)],
    ['embedding_length', whole(EMBEDDING)],
    ['block_count', whole(LAYERS)],
    ['feed_forward_length', whole(FEED_FORWARD)],
    ['attention.head_count', whole(HEADS)],
  ]
  if (kind === 'bert') {
    entries.push(
      ['attention.layer_norm_epsilon', real(1e-12)],
      ['attention.causal', { type: 'bool', value: false }],
      ['pooling_type', whole(1)],
    )
  } else {
    entries.push(
      ['attention.head_count_kv', whole(HEADS_KV)],
      ['attention.layer_norm_rms_epsilon', real(1e-5)],
      ['rope.freq_base', real(10_000)],
    )
  }
  if (kind === 'llama') {
    entries.push(
      ['attention.key_length', whole(KEY)],
      ['attention.value_length', whole(KEY)],
      ['rope.dimension_count', whole(KEY)],
      ['vocab_size', whole(0)],
    )
  }
  return new Map(entries.map(([name, value]) => [`${kind}.${name}`, value]))
}

const TOKENIZERS: Record<SyntheticKind, () => ReadonlyMap<string, GgufValue>> = {
  llama() {
    const bytes = Array.from(
      { length: 256 },
      (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    )
    const words = ['▁', 'a', 'b', '▁a', '▁b', 'ab', '▁ab', 'once']
    const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...words]
    const types = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1))
    return new Map<string, GgufValue>([
      ['tokenizer.ggml.model', text('llama')],
      ['tokenizer.ggml.tokens', texts(tokens)],
      ['tokenizer.ggml.token_type', { type: 'int32s', value: types }],
      ['tokenizer.ggml.bos_token_id', whole(1)],
      ['tokenizer.ggml.eos_token_id', whole(2)],
      ['tokenizer.chat_template', text('{{ bos_token }}{{ messages[0].content }}')],
    ])
  },
  qwen2() {
    const tokens = [...byteAlphabet(), 'ab', 'Ġa', '<|end|>']
    return new Map<string, GgufValue>([
      ['tokenizer.ggml.model', text('gpt2')],
      ['tokenizer.ggml.pre', text('qwen2')],
      ['tokenizer.ggml.tokens', texts(tokens)],
      [
        'tokenizer.ggml.token_type',
        { type: 'int32s', value: tokens.map((token) => (token === '<|end|>' ? 3 : 1)) },
      ],
      ['tokenizer.ggml.merges', texts(['a b', 'Ġ a'])],
      ['tokenizer.ggml.eos_token_id', whole(258)],
      ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ])
  },
  bert() {
    const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '▁once', '▁a', 'b', '▁time']
    return new Map<string, GgufValue>([
      ['tokenizer.ggml.model', text('bert')],
      ['tokenizer.ggml.tokens', texts(tokens)],
      ['tokenizer.ggml.token_type', { type: 'int32s', value: tokens.map(() => 1) }],
      ['tokenizer.ggml.token_type_count', whole(2)],
      ['tokenizer.ggml.unknown_token_id', whole(1)],
      ['tokenizer.ggml.bos_token_id', whole(2)],
      ['tokenizer.ggml.seperator_token_id', whole(3)],
      ['tokenizer.ggml.padding_token_id', whole(0)],
      ['tokenizer.ggml.mask_token_id', whole(4)],
    ])
  },
}

/** The 256 characters that stand for bytes in vocabularies like that of GPT-2. */
function byteAlphabet(): string[] {
  const shown = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let hidden = 0
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(shown(byte) ? byte : 256 + hidden++),
  )
}

function decoderTensors(kind: 'llama' | 'qwen2', tokens: number): readonly GgufTensor[] {
  const matrix = kind === 'llama' ? q8 : f32
  const query = HEADS * KEY
  const keys = HEADS_KV * KEY
  const layers = Array.from({ length: LAYERS }, (_, layer) => [
    f32(`blk.${layer}.attn_norm.weight`, EMBEDDING),
    matrix(`blk.${layer}.attn_q.weight`, EMBEDDING, query),
    matrix(`blk.${layer}.attn_k.weight`, EMBEDDING, keys),
    matrix(`blk.${layer}.attn_v.weight`, EMBEDDING, keys),
    ...(kind === 'qwen2'
      ? [
          f32(`blk.${layer}.attn_q.bias`, query),
          f32(`blk.${layer}.attn_k.bias`, keys),
          f32(`blk.${layer}.attn_v.bias`, keys),
        ]
      : []),
    matrix(`blk.${layer}.attn_output.weight`, query, EMBEDDING),
    f32(`blk.${layer}.ffn_norm.weight`, EMBEDDING),
    matrix(`blk.${layer}.ffn_gate.weight`, EMBEDDING, FEED_FORWARD),
    matrix(`blk.${layer}.ffn_up.weight`, EMBEDDING, FEED_FORWARD),
    matrix(`blk.${layer}.ffn_down.weight`, FEED_FORWARD, EMBEDDING),
  ])
  return [
    matrix('token_embd.weight', EMBEDDING, tokens),
    ...layers.flat(),
    f32('output_norm.weight', EMBEDDING),
  ]
}

function bertTensors(tokens: number): readonly GgufTensor[] {
  const layers = Array.from({ length: LAYERS }, (_, layer) => [
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((name) => [
      f32(`blk.${layer}.${name}.weight`, EMBEDDING, EMBEDDING),
      f32(`blk.${layer}.${name}.bias`, EMBEDDING),
    ]),
    f32(`blk.${layer}.attn_output_norm.weight`, EMBEDDING),
    f32(`blk.${layer}.attn_output_norm.bias`, EMBEDDING),
    f32(`blk.${layer}.ffn_up.weight`, EMBEDDING, FEED_FORWARD),
    f32(`blk.${layer}.ffn_up.bias`, FEED_FORWARD),
    f32(`blk.${layer}.ffn_down.weight`, FEED_FORWARD, EMBEDDING),
    f32(`blk.${layer}.ffn_down.bias`, EMBEDDING),
    f32(`blk.${layer}.layer_output_norm.weight`, EMBEDDING),
    f32(`blk.${layer}.layer_output_norm.bias`, EMBEDDING),
  ])
  return [
    f32('token_embd.weight', EMBEDDING, tokens),
    f32('token_types.weight', EMBEDDING, 2),
    f32('position_embd.weight', EMBEDDING, CONTEXT),
    f32('token_embd_norm.weight', EMBEDDING),
    f32('token_embd_norm.bias', EMBEDDING),
    ...layers.flat(),
  ]
}

/** Small, varied, deterministic numbers. */
function weight(index: number): number {
  return Math.sin(index * 12.9898) / 4
}

function f32(name: string, ...dimensions: readonly number[]): GgufTensor {
  const elements = dimensions.reduce((product, length) => product * length, 1)
  const norm = name.includes('norm.weight') ? 1 : 0
  const values = Float32Array.from({ length: elements }, (_, index) => norm + weight(index))
  return { name, dimensions, type: 'f32', bytes: new Uint8Array(values.buffer) }
}

function q8(name: string, columns: number, rows: number): GgufTensor {
  const blocks = (columns * rows) / 32
  const bytes = new Uint8Array(blocks * 34)
  for (let index = 0; index < bytes.length; index++) {
    // The scale of each block: 2^-9 in half precision.
    const inBlock = index % 34
    if (inBlock === 0) bytes[index] = 0x00
    else if (inBlock === 1) bytes[index] = 0x18
    else bytes[index] = Math.round(weight(index) * 127) & 0xff
  }
  return { name, dimensions: [columns, rows], type: 'q8_0', bytes }
}
