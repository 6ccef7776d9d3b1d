import test from 'brittle'
import { isStarlingError } from '../../../../../helpers/errors/starling-error.js'
import type { GgufDraft } from '../../../../helpers/gguf/gguf-draft.js'
import { keyName } from '../../../../helpers/gguf/gguf-draft.js'
import {
  factsOf,
  fileOf,
  real,
  setKey,
  syntheticDraft,
  tensorOf,
  whole,
  wholes,
} from '../../../../helpers/gguf/gguf-scene.js'

/** What is said of a draft once its tensors are laid out anew; null when nothing is. */
function refusal(draft: GgufDraft): string | null {
  try {
    factsOf(fileOf(draft, { laidOut: true }))
    return null
  } catch (error) {
    if (!isStarlingError(error, 'MODEL_INVALID')) throw error
    return error.message
  }
}

function without(draft: GgufDraft, name: string): GgufDraft {
  draft.tensors = draft.tensors.filter((tensor) => keyName(tensor) !== name)
  return draft
}

function withTensor(draft: GgufDraft, name: string, dimensions: bigint[], type = 0): GgufDraft {
  draft.tensors.push({ name: Buffer.from(name), dimensions, type, offset: 0n })
  return draft
}

test('should leave it to llama.cpp to say which tensor is missing', (t) => {
  for (const kind of ['llama', 'qwen2', 'bert'] as const) {
    for (const tensor of syntheticDraft(kind).tensors) {
      t.is(refusal(without(syntheticDraft(kind), keyName(tensor))), null)
    }
  }
})

test('should name the matrix when its shape contradicts the header', (t) => {
  for (const kind of ['llama', 'qwen2', 'bert'] as const) {
    for (const { name: bytes, dimensions } of syntheticDraft(kind).tensors) {
      const name = keyName({ name: bytes })
      if (!/token_embd\.weight|(attn|ffn)_(q|k|v|output|gate|up|down)\.weight/.test(name)) continue
      const draft = syntheticDraft(kind)
      const last = dimensions.length - 1
      tensorOf(draft, name).dimensions[last] = (dimensions[last] ?? 0n) + 32n
      const said = refusal(draft)
      t.ok(said?.includes(`"${name}"`) && said.includes('shape'), `${kind} ${name}: ${said}`)
    }
  }
})

test('should name the matrix when the header says that it is smaller', (t) => {
  for (const [key, value, tensor] of [
    ['feed_forward_length', whole(2), 'blk.0.ffn_gate'],
    ['feed_forward_length', wholes([64, 2]), 'blk.1.ffn_gate'],
    ['attention.head_count', whole(1), 'blk.0.attn_q'],
    ['embedding_length', whole(2), 'token_embd'],
  ] as const) {
    const said = refusal(setKey(syntheticDraft(), `llama.${key}`, value))
    t.ok(said?.includes(`"${tensor}.weight" with the shape`), `${key}: ${said}`)
  }
  for (const [key, value] of [
    ['feed_forward_length', null],
    ['attention.head_count_kv', whole(0)],
  ] as const) {
    const said = refusal(setKey(syntheticDraft(), `llama.${key}`, value))
    t.ok(said?.includes(`no "${key}" for it`), `${key}: ${said}`)
  }
  const alike = setKey(syntheticDraft(), 'llama.feed_forward_length', wholes([64, 64]))
  t.is(refusal(alike), null, 'a length for each layer')
})

test('should take query, key and value in one matrix when they are', (t) => {
  const draft = syntheticDraft()
  for (const layer of [0, 1]) {
    for (const name of ['q', 'k', 'v']) without(draft, `blk.${layer}.attn_${name}.weight`)
    withTensor(draft, `blk.${layer}.attn_qkv.weight`, [32n, 64n], 8)
  }
  t.is(refusal(draft), null)
  tensorOf(draft, 'blk.1.attn_qkv.weight').dimensions[1] = 96n
  t.ok(refusal(draft)?.includes('attn_qkv'))
})

test('should take axes of one element for left out when a tensor has them', (t) => {
  const draft = syntheticDraft()
  tensorOf(draft, 'output_norm.weight').dimensions.push(1n, 1n)
  t.is(refusal(draft), null)
})

test('should check the matrices of experts when there are some', (t) => {
  const draft = setKey(syntheticDraft(), 'llama.expert_count', whole(4))
  setKey(draft, 'llama.expert_used_count', whole(2))
  for (const layer of [0, 1]) {
    const prefix = `blk.${layer}.ffn_`
    for (const name of ['gate', 'up', 'down']) without(draft, `${prefix}${name}.weight`)
    withTensor(draft, `${prefix}gate_inp.weight`, [32n, 4n])
    withTensor(draft, `${prefix}up_exps.weight`, [32n, 64n, 4n], 8)
    withTensor(draft, `${prefix}down_exps.weight`, [64n, 32n, 4n], 8)
  }
  t.is(refusal(draft), null)
  tensorOf(draft, 'blk.1.ffn_up_exps.weight').dimensions[2] = 5n
  t.ok(refusal(draft)?.includes('32x64x5'))
})

test('should refuse types that llama.cpp does not compute with', (t) => {
  const typed = (name: string, type: number) => {
    const draft = syntheticDraft()
    const tensor = tensorOf(draft, name)
    tensor.type = type
    return refusal(draft)
  }
  for (const type of [1, 8, 28, 30])
    t.ok(typed('output_norm.weight', type)?.includes('does not support'))
  for (const type of [9, 24, 26, 28])
    t.ok(typed('blk.0.attn_q.weight', type)?.includes('does not support'))
  for (const type of [0, 1, 2, 30, 39]) t.is(typed('blk.0.attn_q.weight', type), null)
  const bert = syntheticDraft('bert')
  tensorOf(bert, 'token_types.weight').type = 1
  t.ok(refusal(bert)?.includes('token_types'))
})

test('should refuse a network whose numbers do not fit together', (t) => {
  const changed = (name: string, value: number) =>
    refusal(setKey(syntheticDraft(), name, whole(value)))
  t.ok(changed('llama.attention.value_length', 8)?.includes('attn_v'))
  t.ok(changed('llama.embedding_length_out', 16)?.includes('embedding_length_out'))
  t.is(changed('llama.embedding_length_out', 0), null)
  const turned = setKey(syntheticDraft('qwen2'), 'qwen2.rope.dimension_count', whole(8))
  t.ok(refusal(turned)?.includes('rope.dimension_count'))
  const wide = setKey(syntheticDraft('qwen2'), 'qwen2.attention.key_length', whole(32))
  t.ok(refusal(wide)?.includes('not the 32 of an embedding'))
  const freqs = withTensor(syntheticDraft(), 'rope_freqs.weight', [8n])
  t.is(refusal(freqs), null)
  t.ok(
    refusal(withTensor(syntheticDraft(), 'rope_freqs.weight', [32n, 1n, 2n]))?.includes(
      'rope_freqs',
    ),
  )
  t.is(refusal(setKey(syntheticDraft(), 'llama.rope.freq_base', real(0))), null)
})
