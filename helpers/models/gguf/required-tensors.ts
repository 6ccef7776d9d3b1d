import type { StarlingError } from '../../errors/starling-error.js'
import type { GgufTensorInfo } from './gguf-tensor-info.js'
import type { Hyperparameters } from './hyperparameters.js'
import { invalidModel, quoted } from './invalid-model.js'
import { hasAttention } from './model-architectures.js'
import type { Vocabulary } from './vocabulary-checks.js'

/** A tensor that a network needs, and its shape, innermost axis first. */
interface Needed {
  readonly name: string
  readonly shape: readonly number[]
  /** Whether the network does without it. */
  readonly optional?: boolean
  /** The tensor that may stand in its place, of the same layer. */
  readonly unless?: string
  /** Whether it is added as it is, so that it must be F32. */
  readonly isAdded?: boolean
}

/** The numbers of a network whose layers are all alike. */
interface Shape {
  readonly embedding: number
  readonly vocabulary: number
  readonly tokenTypes: number
  readonly context: number
  readonly feedForward: number
  /** Of all heads together. */
  readonly query: number
  readonly key: number
  readonly value: number
  readonly ropeDimensions: number
  readonly experts: number
}

/** What one architecture needs, besides what all do. */
interface Network {
  /** Equal lengths and counts that llama.cpp insists on, ending the process otherwise. */
  readonly check: (hyperparameters: Hyperparameters) => string | null
  readonly outer: (shape: Shape) => readonly Needed[]
  /** Of layer N, the names without `blk.N.`. */
  readonly layer: (shape: Shape) => readonly Needed[]
}

/** The architectures whose tensors are known one by one. */
const NETWORKS: ReadonlyMap<string, Network> = new Map([
  ['llama', { check: headsAlike, outer: decoderOuter, layer: llamaLayer }],
  ['qwen2', { check: headsFillEmbedding, outer: decoderOuter, layer: qwen2Layer }],
  ['bert', { check: headsFillEmbedding, outer: bertOuter, layer: bertLayer }],
])

/**
 * Checks that the tensors are there and fit together: of the architectures llama, qwen2 and bert each
 * of them, of others the embedding alone.
 *
 * @throws StarlingError MODEL_INVALID, naming the tensor or the number that does not fit
 */
export function checkTensors(
  tensors: ReadonlyMap<string, GgufTensorInfo>,
  architecture: string,
  hyperparameters: Hyperparameters,
  vocabulary: Vocabulary,
): void {
  const network = NETWORKS.get(architecture)
  for (const tensor of tensors.values()) checkType(tensor, network !== undefined)
  if (network === undefined) {
    checkEmbeddingRows(tensors, vocabulary.tokens)
    if (hasAttention(architecture)) checkLayerNumbers(tensors, hyperparameters)
    return
  }
  const shape = shapeOf(hyperparameters, vocabulary)
  const { embeddingLength, embeddingLengthOut } = hyperparameters
  if (embeddingLengthOut !== embeddingLength) {
    throw invalidModel(
      `has "embedding_length_out" at ${embeddingLengthOut} instead of ${embeddingLength}`,
    )
  }
  const wrong = network.check(hyperparameters)
  if (wrong !== null) throw invalidModel(wrong)
  for (const needed of network.outer(shape)) checkTensor(tensors, needed)
  const inLayer = network.layer(shape)
  for (let layer = 0; layer < hyperparameters.layers; layer++) {
    for (const needed of inLayer) {
      const prefix = `blk.${layer}.`
      if (needed.unless !== undefined && tensors.has(prefix + needed.unless)) continue
      checkTensor(tensors, { ...needed, name: prefix + needed.name })
    }
  }
}

/**
 * Vectors are added and multiplied as they are, which llama.cpp does for F32 alone; matrices are
 * multiplied. Networks that are not known one by one have tables of I32, and matrices of one column.
 */
function checkType(tensor: GgufTensorInfo, isKnownNetwork: boolean): void {
  const { name, type, elements, dimensions } = tensor
  const isVector = elements === dimensions[0]
  const isAdded = isVector && (isKnownNetwork || /norm\.weight$|\.bias$/.test(name))
  if (isAdded ? type.name === 'F32' : type.isWeight) return
  if (type.name === 'I32' && !isKnownNetwork) return
  throw wrongType(tensor)
}

function wrongType({ name, type }: GgufTensorInfo): StarlingError {
  return invalidModel(
    `has the tensor ${quoted(name)} as ${type.name}, with which llama.cpp does not calculate there`,
  )
}

function checkEmbeddingRows(
  tensors: ReadonlyMap<string, GgufTensorInfo>,
  vocabularyTokens: number,
): void {
  const embedding = tensors.get('token_embd.weight')
  if (embedding?.dimensions.length !== 2 || embedding.dimensions[1] === vocabularyTokens) return
  throw invalidModel(
    `has ${vocabularyTokens} tokens, but "token_embd.weight" is for ${embedding.dimensions[1]}`,
  )
}

/** A number that is 0 for a layer, which has the tensor that is as long as it says, ends the process. */
function checkLayerNumbers(
  tensors: ReadonlyMap<string, GgufTensorInfo>,
  { layers, headCounts, headCountsKv, feedForwardLengths }: Hyperparameters,
): void {
  const needs: readonly (readonly [string, string, readonly number[]])[] = [
    ['attn_q.weight', 'attention.head_count', headCounts],
    ['attn_k.weight', 'attention.head_count_kv', headCountsKv],
    ['attn_v.weight', 'attention.head_count_kv', headCountsKv],
    ['ffn_up.weight', 'feed_forward_length', feedForwardLengths],
    ['ffn_down.weight', 'feed_forward_length', feedForwardLengths],
  ]
  for (let layer = 0; layer < layers; layer++) {
    for (const [tensor, key, numbers] of needs) {
      if (numbers[layer] !== 0 || !tensors.has(`blk.${layer}.${tensor}`)) continue
      throw invalidModel(`has "blk.${layer}.${tensor}", but no ${quoted(key)} for it`)
    }
  }
}

function checkTensor(
  tensors: ReadonlyMap<string, GgufTensorInfo>,
  { name, shape, optional, isAdded }: Needed,
): void {
  const tensor = tensors.get(name)
  if (tensor === undefined) {
    if (optional) return
    throw invalidModel(`has no tensor ${quoted(name)}, which llama.cpp needs`)
  }
  if (isAdded && tensor.type.name !== 'F32') throw wrongType(tensor)
  // Axes that are left out have the length 1.
  const axes = Math.max(shape.length, tensor.dimensions.length)
  for (let axis = 0; axis < axes; axis++) {
    if ((shape[axis] ?? 1) !== (tensor.dimensions[axis] ?? 1)) {
      throw invalidModel(
        `has the tensor ${quoted(name)} with the shape ${tensor.dimensions.join('x')} instead of ` +
          shape.join('x'),
      )
    }
  }
}

function shapeOf(hyperparameters: Hyperparameters, vocabulary: Vocabulary): Shape {
  const { headCounts, headCountsKv, keyLength, valueLength } = hyperparameters
  const heads = uniform('attention.head_count', headCounts)
  const headsKv = uniform('attention.head_count_kv', headCountsKv)
  return {
    embedding: hyperparameters.embeddingLength,
    vocabulary: vocabulary.tokens,
    tokenTypes: vocabulary.tokenTypes,
    context: hyperparameters.contextTokens,
    feedForward: uniform('feed_forward_length', hyperparameters.feedForwardLengths),
    query: heads * keyLength,
    key: headsKv * keyLength,
    value: headsKv * valueLength,
    ropeDimensions: hyperparameters.ropeDimensions,
    experts: hyperparameters.experts,
  }
}

/** What all layers have in common. */
function uniform(name: string, numbers: readonly number[]): number {
  const first = numbers[0] ?? 0
  if (first < 1 || numbers.some((number) => number !== first)) {
    throw invalidModel(`needs the same ${quoted(name)}, at least 1, in every layer`)
  }
  return first
}

function headsAlike({ keyLength, valueLength, ropeDimensions }: Hyperparameters): string | null {
  if (keyLength !== valueLength)
    return `has keys of ${keyLength} and values of ${valueLength} numbers`
  if (ropeDimensions !== keyLength) {
    return `has "rope.dimension_count" at ${ropeDimensions} instead of ${keyLength}`
  }
  return keyLength % 2 === 0 ? null : `has keys of ${keyLength} numbers, which do not pair up`
}

function headsFillEmbedding(hyperparameters: Hyperparameters): string | null {
  const { headCounts, keyLength, embeddingLength } = hyperparameters
  const heads = headCounts[0] ?? 0
  if (heads * keyLength !== embeddingLength) {
    return `has ${heads} heads of ${keyLength} numbers, which are not the ${embeddingLength} of an embedding`
  }
  return headsAlike(hyperparameters)
}

function decoderOuter({ embedding, vocabulary, ropeDimensions }: Shape): readonly Needed[] {
  return [
    { name: 'token_embd.weight', shape: [embedding, vocabulary] },
    { name: 'output_norm.weight', shape: [embedding] },
    { name: 'output.weight', shape: [embedding, vocabulary], optional: true },
    ...['rope_freqs.weight', 'rope_factors_long.weight', 'rope_factors_short.weight'].map(
      (name) => ({ name, shape: [ropeDimensions / 2], optional: true }),
    ),
  ]
}

/** Query, key and value matrices, of their own or as one. */
function attention({ embedding, query, key, value }: Shape): readonly Needed[] {
  const unless = 'attn_qkv.weight'
  return [
    { name: unless, shape: [embedding, query + key + value], optional: true },
    { name: 'attn_q.weight', shape: [embedding, query], unless },
    { name: 'attn_k.weight', shape: [embedding, key], unless },
    { name: 'attn_v.weight', shape: [embedding, value], unless },
    { name: 'attn_output.weight', shape: [query, embedding] },
  ]
}

function gatedFeedForward({ embedding, feedForward, experts }: Shape): readonly Needed[] {
  if (experts === 0) {
    return [
      { name: 'ffn_gate.weight', shape: [embedding, feedForward] },
      { name: 'ffn_up.weight', shape: [embedding, feedForward] },
      { name: 'ffn_down.weight', shape: [feedForward, embedding] },
    ]
  }
  return [
    { name: 'ffn_gate_inp.weight', shape: [embedding, experts] },
    { name: 'ffn_gate_exps.weight', shape: [embedding, feedForward, experts], optional: true },
    { name: 'ffn_up_exps.weight', shape: [embedding, feedForward, experts] },
    { name: 'ffn_down_exps.weight', shape: [feedForward, embedding, experts] },
  ]
}

function llamaLayer(shape: Shape): readonly Needed[] {
  const { embedding } = shape
  return [
    { name: 'attn_norm.weight', shape: [embedding] },
    ...attention(shape),
    { name: 'ffn_norm.weight', shape: [embedding] },
    ...gatedFeedForward(shape),
  ]
}

function qwen2Layer(shape: Shape): readonly Needed[] {
  return llamaLayer({ ...shape, experts: 0 })
}

function bertOuter({ embedding, vocabulary, tokenTypes, context }: Shape): readonly Needed[] {
  if (tokenTypes === 0) {
    throw invalidModel('has no "tokenizer.ggml.token_type_count", which llama.cpp needs')
  }
  return [
    { name: 'token_embd.weight', shape: [embedding, vocabulary] },
    { name: 'token_types.weight', shape: [embedding, tokenTypes], optional: true, isAdded: true },
    { name: 'position_embd.weight', shape: [embedding, context] },
    { name: 'token_embd_norm.weight', shape: [embedding] },
    { name: 'token_embd_norm.bias', shape: [embedding] },
  ]
}

function bertLayer(shape: Shape): readonly Needed[] {
  const { embedding, feedForward } = shape
  return [
    ...attention(shape),
    { name: 'attn_output_norm.weight', shape: [embedding] },
    { name: 'attn_output_norm.bias', shape: [embedding] },
    { name: 'ffn_up.weight', shape: [embedding, feedForward] },
    { name: 'ffn_down.weight', shape: [feedForward, embedding] },
    { name: 'layer_output_norm.weight', shape: [embedding] },
    { name: 'layer_output_norm.bias', shape: [embedding] },
  ]
}
