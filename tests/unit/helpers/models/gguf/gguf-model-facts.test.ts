import { readFileSync } from 'node:fs'
import test from 'brittle'
import { isStarlingError } from '../../../../../helpers/errors/starling-error.js'
import { TINY_MODEL_PATH } from '../../../../helpers/engine/tiny-llama.js'
import { type DraftValue, keyName } from '../../../../helpers/gguf/gguf-draft.js'
import {
  bool,
  factsOf,
  fileOf,
  real,
  renamedDraft,
  setKey,
  syntheticDraft,
  text,
  texts,
  whole,
  wholes,
} from '../../../../helpers/gguf/gguf-scene.js'
import { type SyntheticKind, syntheticGguf } from '../../../../helpers/gguf/synthetic-gguf.js'

/** What a synthetic model is refused with when one key is set or removed: "CODE message", or null. */
function refusal(
  name: string,
  value: DraftValue | null,
  kind: SyntheticKind = 'llama',
): string | null {
  return refusalOf(fileOf(setKey(syntheticDraft(kind), name, value)))
}

function refusalOf(file: Uint8Array): string | null {
  try {
    factsOf(file)
    return null
  } catch (error) {
    if (!isStarlingError(error)) throw error
    return `${error.code} ${error.message}`
  }
}

test('should say what a model is when its file is whole', (t) => {
  t.alike(factsOf(readFileSync(TINY_MODEL_PATH)), {
    architecture: 'llama',
    contextTokens: 256,
    layers: 4,
    embeddingLength: 128,
    feedForwardLength: 384,
    headCount: 4,
    headCountKv: 4,
    keyLength: 32,
    valueLength: 32,
    vocabularyTokens: 1024,
    quantization: 'F16',
    parameters: 984_192,
    weightsBytes: 1_970_688,
    name: 'tiny-distilled-stories',
    licence: null,
    hasChatTemplate: false,
    sampling: {},
    pooling: null,
    isEmbedding: false,
  })
  const llama = factsOf(syntheticGguf('llama'))
  t.is(llama.quantization, 'Q8_0', 'the type with most bytes, because the file does not say')
  t.is(llama.licence, 'CC0-1.0')
  t.is(llama.headCountKv, 1)
  t.ok(llama.hasChatTemplate)
  const bert = factsOf(syntheticGguf('bert'))
  t.is(bert.pooling, 'mean')
  t.ok(bert.isEmbedding)
  t.absent(factsOf(syntheticGguf('qwen2')).isEmbedding)
})

test('should name the quantisation as the file does when it is one that is known', (t) => {
  const named = (code: number) =>
    factsOf(fileOf(setKey(syntheticDraft(), 'general.file_type', whole(code)))).quantization
  t.is(named(15), 'Q4_K_M')
  t.is(named(7), 'Q8_0')
  t.is(named(1), 'F16')
  t.is(named(4), 'Q8_0', 'a code that is not in use')
})

test('should name the key when one is missing that llama.cpp needs', (t) => {
  const needed: Record<SyntheticKind, readonly string[]> = {
    llama: [
      'general.architecture',
      'llama.context_length',
      'llama.embedding_length',
      'llama.block_count',
      'llama.feed_forward_length',
      'llama.attention.head_count',
      'llama.attention.layer_norm_rms_epsilon',
      'tokenizer.ggml.model',
      'tokenizer.ggml.tokens',
    ],
    qwen2: ['qwen2.block_count', 'qwen2.attention.head_count', 'tokenizer.ggml.merges'],
    bert: ['bert.context_length', 'bert.feed_forward_length', 'tokenizer.ggml.unknown_token_id'],
  }
  for (const kind of ['llama', 'qwen2', 'bert'] as const) {
    for (const name of needed[kind]) {
      const said = refusal(name, null, kind)
      const shown = name.replace(/^llama\.feed/, 'feed').replace(/^bert\.feed/, 'feed')
      t.ok(said?.startsWith('MODEL_INVALID') && said.includes(`"${shown}"`), `${name}: ${said}`)
    }
  }
  t.ok(refusal('bert.attention.layer_norm_epsilon', null, 'bert')?.includes('epsilon'))
})

test('should name the key when a hyperparameter is out of range or of another type', (t) => {
  const wrong: readonly (readonly [string, DraftValue])[] = [
    ['context_length', whole(0)],
    ['context_length', whole(0x8000_0000)],
    ['context_length', { code: 10, bytes: new Uint8Array(8) }],
    ['embedding_length', whole(0)],
    ['embedding_length', whole(0xffff_ffff)],
    ['embedding_length', real(32)],
    ['block_count', whole(0)],
    ['block_count', whole(513)],
    ['block_count', text('2')],
    ['attention.head_count', whole(0)],
    ['attention.head_count', wholes([2])],
    ['attention.head_count', wholes([2, -2])],
    ['attention.head_count', { code: 9, itemCode: 6, items: [new Uint8Array(4)] }],
    ['attention.key_length', whole(0)],
    ['attention.layer_norm_rms_epsilon', real(Number.NaN)],
    ['attention.layer_norm_rms_epsilon', real(-1e-5)],
    ['attention.layer_norm_rms_epsilon', real(0)],
    ['attention.layer_norm_rms_epsilon', whole(1)],
    ['attention.causal', whole(1)],
    ['rope.freq_base', real(Number.POSITIVE_INFINITY)],
    ['rope.scaling.factor', real(-1)],
    ['rope.scaling.type', text('su')],
    ['rope.scaling.finetuned', text('no')],
    ['expert_count', whole(1025)],
    ['pooling_type', whole(5)],
    ['nextn_predict_layers', whole(3)],
    ['classifier.output_labels', text('one')],
  ]
  for (const [name, value] of wrong) {
    const said = refusal(`llama.${name}`, value)
    t.ok(said?.startsWith('MODEL_INVALID') && said.includes(name), `${name}: ${said}`)
  }
  const heads = (value: DraftValue) => refusal('llama.attention.head_count', value)
  t.ok(heads(wholes([2]))?.includes('1 items'))
  t.ok(heads(wholes([2, 2], 10))?.includes('a list of them'))
  t.ok(heads(whole(0))?.includes('at 0'))
  t.ok(refusal('general.name', whole(1))?.includes('general.name'))
  t.ok(refusal('general.file_type', text('F16'))?.includes('general.file_type'))
})

test('should refuse experts that llama.cpp would end the process for', (t) => {
  t.ok(refusal('llama.expert_used_count', whole(1))?.includes('expert_used_count'))
  t.ok(refusal('llama.expert_count', whole(4))?.includes('expert_used_count'))
  const experts = (groups: DraftValue, used: DraftValue | null) => {
    const draft = setKey(syntheticDraft(), 'llama.expert_count', whole(4))
    setKey(draft, 'llama.expert_used_count', wholes([2, 1]))
    setKey(draft, 'llama.expert_group_count', groups)
    return refusalOf(fileOf(setKey(draft, 'llama.expert_group_used_count', used)))
  }
  t.ok(experts(whole(4), null)?.includes('expert_group_count'))
  t.ok(experts(whole(3), null)?.includes('does not divide'))
  t.ok(experts(whole(2), null)?.includes('expert_group_used_count'))
  t.ok(experts(whole(2), whole(2))?.includes('expert_group_used_count'))
  t.is(experts(whole(2), whole(1)), null)
  t.is(experts(whole(0), null), null)
})

test('should refuse heads that do not share keys evenly or do not divide the embedding', (t) => {
  const heads = (count: number, kv: number) => {
    const draft = setKey(syntheticDraft('qwen2'), 'qwen2.attention.head_count', whole(count))
    return refusalOf(fileOf(setKey(draft, 'qwen2.attention.head_count_kv', whole(kv))))
  }
  t.is(heads(2, 1), null)
  t.ok(heads(2, 3)?.includes('cannot share'))
  t.ok(heads(3, 1)?.includes('does not divide'))
  t.ok(heads(4, 1)?.includes('shape'))
})

test('should throw MODEL_UNSUPPORTED when a model does not run by itself', (t) => {
  for (const [name, value] of [
    ['general.architecture', text('llama\0')],
    ['general.architecture', text('no such thing')],
    ['general.architecture', text('clip')],
    ['tokenizer.ggml.model', text('none')],
    ['tokenizer.ggml.model', text('')],
    ['split.count', { code: 2, bytes: Uint8Array.of(3, 0) }],
  ] as const) {
    const said = refusal(name, value)
    t.ok(said?.startsWith('MODEL_UNSUPPORTED'), `${name}: ${said}`)
  }
  t.is(refusal('split.count', { code: 2, bytes: Uint8Array.of(1, 0) }), null)
  t.ok(refusal('split.count', whole(1))?.startsWith('MODEL_INVALID'))
})

/** The synthetic llama under another architecture's name, without some of its tensors. */
function renamed(
  architecture: string,
  keys: Readonly<Record<string, DraftValue | null>> = {},
  without = /^$/,
): Buffer {
  const draft = renamedDraft(architecture)
  for (const [name, value] of Object.entries(keys)) setKey(draft, `${architecture}.${name}`, value)
  draft.tensors = draft.tensors.filter((tensor) => !without.test(keyName(tensor)))
  return fileOf(draft, { laidOut: true })
}

test('should leave an architecture to llama.cpp when its rules are not known', (t) => {
  const facts = factsOf(renamed('yet-unknown'))
  const known = factsOf(fileOf(syntheticDraft()))
  t.alike({ ...facts, architecture: 'llama' }, known, 'the memory is estimated as always')
  const withoutAttention = {
    'attention.head_count': null,
    'attention.head_count_kv': null,
    'attention.key_length': null,
    'attention.layer_norm_rms_epsilon': null,
    feed_forward_length: null,
    'rope.scaling.type': text('of its own'),
  }
  const other = factsOf(renamed('yet-unknown', withoutAttention, /norm|ffn|attn/))
  t.is(other.headCount, 0)
  t.is(other.layers, 2)
  t.is(refusal('tokenizer.ggml.model', text('yet-unknown')), null)
})

test('should hold an architecture whose rules are not known to the bounds of all', (t) => {
  for (const [name, value] of [
    ['block_count', whole(100_000)],
    ['block_count', null],
    ['embedding_length', whole(1 << 30)],
    ['context_length', null],
    ['attention.head_count', text('x')],
    ['attention.head_count_kv', wholes([1])],
    ['feed_forward_length', whole(1 << 30)],
  ] as const) {
    const said = refusalOf(renamed('yet-unknown', { [name]: value }))
    t.ok(said?.startsWith('MODEL_INVALID') && said.includes(name), `${name}: ${said}`)
  }
})

/** Only the first layer has attention. */
const HYBRID = { 'attention.head_count_kv': wholes([1, 0]) }

test('should check what all architectures share when one has no checks of its own', (t) => {
  t.is(factsOf(renamed('gemma2')).architecture, 'gemma2')
  t.ok(refusalOf(renamed('gemma2', { block_count: whole(0) }))?.includes('gemma2.block_count'))
  t.alike(factsOf(renamed('lfm2', HYBRID, /blk\.1\.attn_[kv]/)).headCountKv, [1, 0])
  const mamba = factsOf(renamed('mamba', { 'attention.head_count': whole(0) }))
  t.is(mamba.headCount, 0)
  t.is(mamba.headCountKv, 0)
  const tokens = syntheticDraft()
  const value = tokens.keys.find((key) => keyName(key) === 'tokenizer.ggml.tokens')?.value
  if (value === undefined || !('items' in value)) throw new RangeError('there are no tokens')
  const more = { ...value, items: [...value.items, Buffer.from('more')] }
  const draft = setKey(syntheticDraft(), 'tokenizer.ggml.tokens', more)
  setKey(draft, 'general.architecture', text('gemma2'))
  setKey(draft, 'tokenizer.ggml.token_type', null)
  for (const key of draft.keys) {
    key.name = Buffer.from(keyName(key).replace(/^llama\./, 'gemma2.'))
  }
  t.ok(refusalOf(fileOf(draft))?.includes('268 tokens'))
})

test('should refuse a tensor whose length the header gives as 0 when it is there', (t) => {
  const said = refusalOf(renamed('lfm2', HYBRID))
  t.ok(said?.includes('blk.1.attn_k.weight') && said.includes('head_count_kv'), `${said}`)
  const forward = { feed_forward_length: null }
  t.ok(refusalOf(renamed('gemma', forward))?.includes('"feed_forward_length"'))
  t.is(refusalOf(renamed('gemma', forward, /ffn_(up|down)/)), null)
})

test('should refuse what ends the process for some architectures only', (t) => {
  t.ok(refusalOf(renamed('smallthinker'))?.includes('smallthinker.expert_count'))
  t.ok(refusalOf(renamed('deepseek2'))?.includes('deepseek2.rope.dimension_count'))
  t.is(refusalOf(renamed('deepseek2', { 'rope.dimension_count': whole(8) })), null)
  t.ok(refusalOf(renamed('paddleocr'))?.includes('dimension_sections'))
  t.ok(
    refusalOf(renamed('paddleocr', { 'rope.dimension_sections': wholes([0, 0, 0, 8]) }))?.includes(
      'dimension_sections',
    ),
  )
  t.is(refusalOf(renamed('paddleocr', { 'rope.dimension_sections': wholes([4, 2, 2, 0]) })), null)
  t.ok(refusalOf(renamed('jamba'))?.includes('head_count_kv'))
  t.is(refusalOf(renamed('jamba', HYBRID, /blk\.1\.attn_[kv]/)), null)
})

test('should take a model for one of embeddings when it pools or sees what follows', (t) => {
  const facts = (name: string, value: DraftValue) =>
    factsOf(fileOf(setKey(syntheticDraft('qwen2'), `qwen2.${name}`, value)))
  t.ok(facts('pooling_type', whole(3)).isEmbedding)
  t.is(facts('pooling_type', whole(3)).pooling, 'last')
  t.absent(facts('pooling_type', whole(0)).isEmbedding)
  t.ok(facts('attention.causal', bool(false)).isEmbedding)
})

test('should cut what is only shown when it is too long, and leave out what is no text', (t) => {
  const draft = setKey(syntheticDraft(), 'general.name', text('n'.repeat(5_000)))
  const facts = factsOf(fileOf(setKey(draft, 'general.license', texts(['MIT']))))
  t.is(facts.name?.length, 256)
  t.is(facts.licence, null)
})
