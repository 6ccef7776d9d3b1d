import test from 'brittle'
import {
  convertMinilm,
  MINILM_FILES,
} from '../../../../../helpers/models/minilm/minilm-conversion.js'
import { type ReadGguf, readGguf } from '../../../../helpers/gguf/gguf-reader.js'
import {
  TINY_CONFIG,
  TINY_TOKENIZER,
  tinyMinilm,
  tinySafetensors,
  tinyWeight,
} from '../../../../helpers/models/tiny-minilm.js'
import { codeThrownBy } from '../../../../helpers/property.js'

const F32 = 0
const F16 = 1

/** What converting those files throws. */
function refusal(files: ReadonlyMap<string, Uint8Array>): string | null {
  return codeThrownBy(() => convertMinilm(files))
}

test('should name and size the tensors as llama.cpp does when a model is converted', (t) => {
  const { tensors } = readGguf(convertMinilm(tinyMinilm()))
  t.alike(
    tensors.map(({ name, dimensions, type }) => [name, dimensions, type]),
    [
      ['token_embd.weight', [4, 8], F16],
      ['position_embd.weight', [4, 5], F32],
      ['token_types.weight', [4, 2], F32],
      ['token_embd_norm.weight', [4], F32],
      ['token_embd_norm.bias', [4], F32],
      ['blk.0.attn_q.weight', [4, 4], F16],
      ['blk.0.attn_q.bias', [4], F32],
      ['blk.0.attn_k.weight', [4, 4], F16],
      ['blk.0.attn_k.bias', [4], F32],
      ['blk.0.attn_v.weight', [4, 4], F16],
      ['blk.0.attn_v.bias', [4], F32],
      ['blk.0.attn_output.weight', [4, 4], F16],
      ['blk.0.attn_output.bias', [4], F32],
      ['blk.0.attn_output_norm.weight', [4], F32],
      ['blk.0.attn_output_norm.bias', [4], F32],
      ['blk.0.ffn_up.weight', [4, 6], F16],
      ['blk.0.ffn_up.bias', [6], F32],
      ['blk.0.ffn_down.weight', [6, 4], F16],
      ['blk.0.ffn_down.bias', [4], F32],
      ['blk.0.layer_output_norm.weight', [4], F32],
      ['blk.0.layer_output_norm.bias', [4], F32],
    ],
  )
})

test('should keep every weight exactly when a model is converted', (t) => {
  const file = convertMinilm(tinyMinilm())
  const read = readGguf(file)
  const expected: [name: string, from: string, length: number][] = [
    ['token_embd.weight', 'embeddings.word_embeddings.weight', 32],
    ['position_embd.weight', 'embeddings.position_embeddings.weight', 20],
    ['token_types.weight', 'embeddings.token_type_embeddings.weight', 8],
    ['token_embd_norm.bias', 'embeddings.LayerNorm.bias', 4],
    ['blk.0.attn_k.weight', 'encoder.layer.0.attention.self.key.weight', 16],
    ['blk.0.attn_output_norm.weight', 'encoder.layer.0.attention.output.LayerNorm.weight', 4],
    ['blk.0.ffn_up.bias', 'encoder.layer.0.intermediate.dense.bias', 6],
    ['blk.0.ffn_down.weight', 'encoder.layer.0.output.dense.weight', 24],
    ['blk.0.layer_output_norm.bias', 'encoder.layer.0.output.LayerNorm.bias', 4],
  ]
  for (const [name, from, length] of expected) {
    t.alike(
      weights(file, read, name, length),
      Array.from({ length }, (_, index) => tinyWeight(from, index)),
      name,
    )
  }
})

test('should state the network and the tokenizer when a model is converted', (t) => {
  const { metadata } = readGguf(convertMinilm(tinyMinilm()))
  t.is(metadata['general.architecture'], 'bert')
  t.is(metadata['general.license'], 'Apache-2.0')
  t.is(metadata['general.file_type'], 1)
  t.is(metadata['bert.context_length'], 5)
  t.is(metadata['bert.embedding_length'], 4)
  t.is(metadata['bert.feed_forward_length'], 6)
  t.is(metadata['bert.block_count'], 1)
  t.is(metadata['bert.attention.head_count'], 2)
  t.is(metadata['bert.attention.layer_norm_epsilon'], Math.fround(1e-12))
  t.is(metadata['bert.attention.causal'], false)
  t.is(metadata['bert.pooling_type'], 1)
  t.is(metadata['tokenizer.ggml.model'], 'bert')
  t.is(metadata['tokenizer.ggml.token_type_count'], 2)
  t.alike(metadata['tokenizer.ggml.tokens'], [
    ...['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
    ...['\u2581cat', 's', '\u2581#'],
  ])
  t.alike(metadata['tokenizer.ggml.token_type'], [3, 3, 3, 3, 3, 1, 1, 1])
  t.is(metadata['tokenizer.ggml.bos_token_id'], 2)
  t.is(metadata['tokenizer.ggml.cls_token_id'], 2)
  t.is(metadata['tokenizer.ggml.seperator_token_id'], 3)
  t.is(metadata['tokenizer.ggml.unknown_token_id'], 1)
  t.is(metadata['tokenizer.ggml.padding_token_id'], 0)
  t.is(metadata['tokenizer.ggml.mask_token_id'], 4)
})

test('should give the same bytes when the same files are converted again', (t) => {
  t.alike(convertMinilm(tinyMinilm()), convertMinilm(tinyMinilm()))
})

test('should throw MODEL_INVALID when a file is missing or cut off', (t) => {
  for (const path of MINILM_FILES) {
    const missing = tinyMinilm()
    missing.delete(path)
    t.is(refusal(missing), 'MODEL_INVALID', `without ${path}`)
    const cut = tinyMinilm()
    cut.set(path, (cut.get(path) ?? new Uint8Array()).subarray(0, -3))
    t.is(refusal(cut), 'MODEL_INVALID', `${path} cut off`)
  }
})

test('should throw MODEL_INVALID when a weight is missing or of another kind', (t) => {
  const name = 'encoder.layer.0.output.dense.weight'
  for (const other of [null, { shape: [6, 4] }, { shape: [24] }, { dtype: 'BF16' }]) {
    const weights = tinySafetensors({ [name]: other })
    t.is(refusal(tinyMinilm({ 'model/model.fp16.safetensors': weights })), 'MODEL_INVALID')
  }
})

test('should throw MODEL_INVALID when the network is of a kind that is not known', (t) => {
  for (const other of [
    { model_type: 'roberta' },
    { hidden_act: 'relu' },
    { position_embedding_type: 'relative_key' },
    { hidden_size: 5 },
    { num_hidden_layers: 2 },
    { vocab_size: 9 },
    { vocab_size: -1 },
  ]) {
    const files = tinyMinilm({ 'model/config.json': { ...TINY_CONFIG, ...other } })
    t.is(refusal(files), 'MODEL_INVALID', JSON.stringify(other))
  }
})

test('should throw MODEL_INVALID when the tokenizer is of another kind or has holes', (t) => {
  const { model, normalizer, post_processor, added_tokens } = TINY_TOKENIZER
  for (const other of [
    { normalizer: { ...normalizer, lowercase: false } },
    { normalizer: { ...normalizer, strip_accents: false } },
    { normalizer: null },
    { pre_tokenizer: { type: 'Whitespace' } },
    { post_processor: { ...post_processor, single: [] } },
    { model: { ...model, type: 'BPE' } },
    { model: { ...model, continuing_subword_prefix: '@@' } },
    { model: { ...model, vocab: { ...model.vocab, '##s': 5 } } },
    { model: { ...model, vocab: { ...model.vocab, more: 8 } } },
    { added_tokens: added_tokens.slice(0, 4) },
    { added_tokens: [...added_tokens, { id: 5, content: '[OTHER]', special: true }] },
    { added_tokens: [...added_tokens, { id: 5, content: 'cat', special: false }] },
  ]) {
    const files = tinyMinilm({ 'model/tokenizer.json': { ...TINY_TOKENIZER, ...other } })
    t.is(refusal(files), 'MODEL_INVALID', JSON.stringify(other))
  }
})

/** The numbers of a tensor of the file, whichever precision they have. */
function weights(file: Uint8Array, read: ReadGguf, name: string, length: number): number[] {
  const tensor = read.tensors.find((found) => found.name === name)
  if (tensor === undefined) throw new Error(`no tensor ${name}`)
  const bytes = Buffer.from(file)
  return Array.from({ length }, (_, index) => {
    if (tensor.type === F32) return bytes.readFloatLE(tensor.offset + index * 4)
    // Normal numbers alone, as IEEE 754 defines their halves.
    const bits = bytes.readUInt16LE(tensor.offset + index * 2)
    return (1 + (bits & 0x3ff) / 1024) * 2 ** ((bits >>> 10) - 15)
  })
}
