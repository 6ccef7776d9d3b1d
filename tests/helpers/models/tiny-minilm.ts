import { toHalfFloatBits } from '../../../helpers/models/gguf/half-float.js'
import { encodeSafetensors, type TensorToWrite } from './safetensors-encoder.js'

/** A network of one block in the shape of MiniLM: a stand-in for the real package. */
export const TINY_CONFIG = {
  model_type: 'bert',
  hidden_act: 'gelu',
  position_embedding_type: 'absolute',
  vocab_size: 8,
  hidden_size: 4,
  intermediate_size: 6,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 5,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
}

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']

export const TINY_TOKENIZER = {
  added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true })),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null as null | boolean,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
  },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    vocab: {
      ...Object.fromEntries(SPECIAL.map((content, id) => [content, id])),
      cat: 5,
      '##s': 6,
      '#': 7,
    } as Record<string, number>,
  },
}

/** The tensors of the network with their shapes, in no particular order. */
export const TINY_SHAPES: Readonly<Record<string, readonly number[]>> = {
  'embeddings.LayerNorm.bias': [4],
  'embeddings.LayerNorm.weight': [4],
  'embeddings.position_embeddings.weight': [5, 4],
  'embeddings.token_type_embeddings.weight': [2, 4],
  'embeddings.word_embeddings.weight': [8, 4],
  ...Object.fromEntries(
    (
      [
        ['attention.self.query', 4, 4],
        ['attention.self.key', 4, 4],
        ['attention.self.value', 4, 4],
        ['attention.output.dense', 4, 4],
        ['intermediate.dense', 6, 4],
        ['output.dense', 4, 6],
      ] as const
    ).flatMap(([part, rows, columns]) => [
      [`encoder.layer.0.${part}.weight`, [rows, columns]],
      [`encoder.layer.0.${part}.bias`, [rows]],
    ]),
  ),
  ...Object.fromEntries(
    ['attention.output.LayerNorm', 'output.LayerNorm'].flatMap((part) => [
      [`encoder.layer.0.${part}.weight`, [4]],
      [`encoder.layer.0.${part}.bias`, [4]],
    ]),
  ),
  'pooler.dense.weight': [4, 4],
}

/** A weight that encodes its position; half precision represents it exactly. */
export function tinyWeight(name: string, index: number): number {
  return (Object.keys(TINY_SHAPES).indexOf(name) + 1) * 32 + index
}

/** The weights, except those that are to be missing or of other types. */
export function tinySafetensors(
  changes: Readonly<Record<string, Partial<TensorToWrite> | null>> = {},
): Uint8Array {
  const tensors: Record<string, TensorToWrite> = {}
  for (const [name, shape] of Object.entries(TINY_SHAPES)) {
    const length = shape.reduce((product, axis) => product * axis, 1)
    const bytes = Buffer.alloc(length * 2)
    for (let index = 0; index < length; index++) {
      bytes.writeUInt16LE(toHalfFloatBits(tinyWeight(name, index)), index * 2)
    }
    if (changes[name] !== null) tensors[name] = { dtype: 'F16', shape, bytes, ...changes[name] }
  }
  return encodeSafetensors(tensors)
}

/** The files of the package. JSON values may replace files. */
export function tinyMinilm(
  changes: Readonly<Record<string, unknown>> = {},
): Map<string, Uint8Array> {
  const files: Record<string, unknown> = {
    'model/config.json': TINY_CONFIG,
    'model/tokenizer.json': TINY_TOKENIZER,
    'model/model.fp16.safetensors': tinySafetensors(),
    ...changes,
  }
  return new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content)),
    ]),
  )
}
