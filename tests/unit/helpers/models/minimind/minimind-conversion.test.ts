import test from 'brittle'
import {
  convertMinimind,
  MINIMIND_FILES,
} from '../../../../../helpers/models/minimind/minimind-conversion.js'
import { readGguf } from '../../../../helpers/gguf/gguf-reader.js'
import {
  TINY_CONFIG,
  TINY_SCALE,
  TINY_TOKENIZER,
  TINY_TOKENIZER_CONFIG,
  tinyEmbedding,
  tinyMinimind,
  tinyOnnx,
  tinyWeight,
} from '../../../../helpers/models/tiny-minimind.js'

const INVALID = { code: 'MODEL_INVALID' }

/** The weights of a q8_0 matrix, by output row and input column. */
function matrix(
  file: Uint8Array,
  name: string,
): { dimensions: readonly number[]; rows: number[][] } {
  const tensor = readGguf(file).tensors.find((found) => found.name === name)
  if (tensor === undefined) throw new Error(`no tensor ${name}`)
  const [columns = 0, rows = 0] = tensor.dimensions
  const bytes = Buffer.from(file)
  return {
    dimensions: tensor.dimensions,
    rows: Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) => {
        const block = tensor.offset + Math.floor((row * columns + column) / 32) * 34
        const bits = bytes.readUInt16LE(block)
        const scale = (1 + (bits & 0x3ff) / 1024) * 2 ** ((bits >>> 10) - 15)
        return bytes.readInt8(block + 2 + (column % 32)) * scale
      }),
    ),
  }
}

test('should name and size the tensors as llama.cpp does when a model is converted', (t) => {
  const { tensors } = readGguf(convertMinimind(tinyMinimind()))
  t.alike(
    tensors.map(({ name, dimensions, type }) => [name, dimensions, type]),
    [
      ['token_embd.weight', [32, 4], 8],
      ['output_norm.weight', [32], 0],
      ['blk.0.attn_norm.weight', [32], 0],
      ['blk.0.attn_q.weight', [32, 64], 8],
      ['blk.0.attn_k.weight', [32, 32], 8],
      ['blk.0.attn_v.weight', [32, 32], 8],
      ['blk.0.attn_output.weight', [64, 32], 8],
      ['blk.0.ffn_norm.weight', [32], 0],
      ['blk.0.ffn_gate.weight', [32, 64], 8],
      ['blk.0.ffn_up.weight', [32, 64], 8],
      ['blk.0.ffn_down.weight', [64, 32], 8],
    ],
  )
})

test('should keep every weight exactly when matrices are turned from inputs to outputs', (t) => {
  const file = convertMinimind(tinyMinimind())
  const expected = (projection: number, outputs: number, inputs: number): number[][] =>
    Array.from({ length: outputs }, (_, output) =>
      Array.from(
        { length: inputs },
        (_, input) => tinyWeight(projection, input, output) * TINY_SCALE,
      ),
    )
  t.alike(matrix(file, 'blk.0.attn_v.weight').rows, expected(2, 32, 32))
  t.alike(matrix(file, 'blk.0.attn_output.weight').rows, expected(3, 32, 64))
  t.alike(matrix(file, 'blk.0.ffn_gate.weight').rows, expected(4, 64, 32))
  t.alike(matrix(file, 'blk.0.ffn_up.weight').rows, expected(5, 64, 32))
  t.alike(matrix(file, 'blk.0.ffn_down.weight').rows, expected(6, 32, 64))
})

test('should take the zero point off when the embedding is unsigned', (t) => {
  const { rows } = matrix(convertMinimind(tinyMinimind()), 'token_embd.weight')
  for (const [token, row] of rows.entries()) {
    t.alike(
      row,
      Array.from({ length: 32 }, (_, column) => (tinyEmbedding(token, column) - 128) * TINY_SCALE),
    )
  }
})

test('should pair neighbouring rows of each head when queries and keys are converted', (t) => {
  const file = convertMinimind(tinyMinimind())
  // Hugging Face turns row i of a head together with row i + 8; llama.cpp rows 2i and 2i + 1.
  for (const [index, name, heads] of [
    [0, 'blk.0.attn_q.weight', 4],
    [1, 'blk.0.attn_k.weight', 2],
  ] as const) {
    const { rows } = matrix(file, name)
    for (let head = 0; head < heads; head++) {
      for (let pair = 0; pair < 8; pair++) {
        const first = head * 16 + pair
        t.is(rows[head * 16 + 2 * pair]?.[5], tinyWeight(index, 5, first) * TINY_SCALE)
        t.is(rows[head * 16 + 2 * pair + 1]?.[5], tinyWeight(index, 5, first + 8) * TINY_SCALE)
      }
    }
  }
})

test('should state the network and the tokenizer when a model is converted', (t) => {
  const { metadata } = readGguf(convertMinimind(tinyMinimind()))
  t.is(metadata['general.architecture'], 'llama')
  t.is(metadata['general.license'], 'Apache-2.0')
  t.is(metadata['llama.context_length'], 128)
  t.is(metadata['llama.embedding_length'], 32)
  t.is(metadata['llama.feed_forward_length'], 64)
  t.is(metadata['llama.block_count'], 1)
  t.is(metadata['llama.attention.head_count'], 4)
  t.is(metadata['llama.attention.head_count_kv'], 2)
  t.is(metadata['llama.rope.dimension_count'], 16)
  t.is(metadata['llama.rope.freq_base'], 10_000)
  t.is(metadata['tokenizer.ggml.model'], 'gpt2')
  t.is(metadata['tokenizer.ggml.pre'], 'trillion')
  t.alike(metadata['tokenizer.ggml.tokens'], ['<|endoftext|>', '<|im_start|>', '<tag>', 'a'])
  t.alike(metadata['tokenizer.ggml.token_type'], [3, 3, 4, 1])
  t.alike(metadata['tokenizer.ggml.merges'], ['Ġ a'])
  t.is(metadata['tokenizer.ggml.bos_token_id'], 1)
  t.is(metadata['tokenizer.ggml.eos_token_id'], 2)
  t.is(metadata['tokenizer.ggml.padding_token_id'], 0)
  t.is(metadata['tokenizer.ggml.add_bos_token'], false)
  t.is(metadata['tokenizer.chat_template'], '{{ messages }}')
})

test('should give the same bytes when the same files are converted again', (t) => {
  t.alike(convertMinimind(tinyMinimind()), convertMinimind(tinyMinimind()))
})

test('should throw MODEL_INVALID when a file is missing or cut off', async (t) => {
  for (const path of MINIMIND_FILES) {
    const missing = tinyMinimind()
    missing.delete(path)
    await t.exception(() => convertMinimind(missing), INVALID)
    const cut = tinyMinimind()
    const whole = cut.get(path) ?? new Uint8Array()
    cut.set(path, whole.subarray(0, whole.length - 3))
    await t.exception(() => convertMinimind(cut), INVALID)
  }
})

test('should throw MODEL_INVALID when a weight is missing or of another shape', async (t) => {
  for (const name of ['embedding', 'self_attn/k_proj', 'norm', 'layers.0.input_layernorm']) {
    const files = tinyMinimind({ 'onnx/model_quantized.onnx': tinyOnnx([name]) })
    await t.exception(() => convertMinimind(files), INVALID)
  }
  for (const key of ['hidden_size', 'intermediate_size', 'num_hidden_layers', 'vocab_size']) {
    const files = tinyMinimind({ 'config.json': { ...TINY_CONFIG, [key]: 96 } })
    await t.exception(() => convertMinimind(files), INVALID)
  }
})

test('should throw MODEL_INVALID when the network is of a kind that is not known', async (t) => {
  for (const other of [
    { model_type: 'qwen2' },
    { attention_bias: true },
    { tie_word_embeddings: false },
    { rope_scaling: { type: 'linear', factor: 2 } },
    { hidden_size: -1 },
  ]) {
    const files = tinyMinimind({ 'config.json': { ...TINY_CONFIG, ...other } })
    await t.exception(() => convertMinimind(files), INVALID)
  }
})

test('should throw MODEL_INVALID when the tokenizer is of another kind or has holes', async (t) => {
  const { model } = TINY_TOKENIZER
  for (const other of [
    { normalizer: { type: 'NFC' } },
    { pre_tokenizer: { ...TINY_TOKENIZER.pre_tokenizer, add_prefix_space: true } },
    { model: { ...model, type: 'Unigram' } },
    { model: { ...model, vocab: { a: 2 } } },
    { model: { ...model, vocab: { ...model.vocab, b: 4 } } },
  ]) {
    const files = tinyMinimind({ 'tokenizer.json': { ...TINY_TOKENIZER, ...other } })
    await t.exception(() => convertMinimind(files), INVALID)
  }
  for (const other of [
    { add_bos_token: true },
    { clean_up_tokenization_spaces: true },
    { pad_token: 'unknown' },
  ]) {
    const files = tinyMinimind({ 'tokenizer_config.json': { ...TINY_TOKENIZER_CONFIG, ...other } })
    await t.exception(() => convertMinimind(files), INVALID)
  }
})
