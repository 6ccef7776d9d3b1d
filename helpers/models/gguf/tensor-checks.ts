import type { StarlingError } from '../../errors/starling-error.js'
import type { GgufTensorInfo } from './gguf-tensor-info.js'
import type { Hyperparameters } from './hyperparameters.js'
import { invalidModel, quoted } from './invalid-model.js'
import { hasAttention } from './model-architectures.js'

type Tensors = ReadonlyMap<string, GgufTensorInfo>

/** A tensor and the lengths of its axes, innermost first. */
type Shape = readonly [name: string, axes: readonly number[]]

/** The architectures whose matrices have the shapes of {@link layerShapes}. */
const KNOWN_NETWORKS: ReadonlySet<string> = new Set(['llama', 'qwen2', 'bert'])

/** Architectures whose heads must add up to the embedding length. */
const FILLED_EMBEDDING: ReadonlySet<string> = new Set(['qwen2', 'bert'])

/** Factors that llama.cpp copies unchanged. */
const ROPE_FACTORS = ['rope_freqs.weight', 'rope_factors_long.weight', 'rope_factors_short.weight']

/**
 * Checks the tensors for what makes llama.cpp abort the process: types that it does not compute with, and
 * shapes that contradict the hyperparameters. It reports missing tensors itself. Shapes are checked in the
 * architectures llama, qwen2 and bert; in others only the embedding, and lengths of 0.
 *
 * @throws StarlingError MODEL_INVALID, naming the tensor or the key
 */
export function checkTensors(
  tensors: Tensors,
  architecture: string,
  hyperparameters: Hyperparameters,
  vocabularyTokens: number,
): void {
  const isKnown = KNOWN_NETWORKS.has(architecture)
  for (const tensor of tensors.values()) checkType(tensor, isKnown)
  if (hasAttention(architecture)) checkLayerNumbers(tensors, hyperparameters)
  if (!isKnown) {
    checkEmbeddingRows(tensors, vocabularyTokens)
    return
  }
  checkLengths(architecture, hyperparameters)
  const { embeddingLength, ropeDimensions, layers } = hyperparameters
  checkShape(tensors, ['token_embd.weight', [embeddingLength, vocabularyTokens]])
  for (const name of ROPE_FACTORS) checkShape(tensors, [name, [ropeDimensions / 2]])
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, axes] of layerShapes(hyperparameters, layer)) {
      checkShape(tensors, [`blk.${layer}.${name}.weight`, axes])
    }
  }
}

/**
 * Vectors are added and multiplied by element, which llama.cpp supports for F32 only. Networks other
 * than the known ones have tables of I32, and matrices with one column.
 */
function checkType(tensor: GgufTensorInfo, isKnownNetwork: boolean): void {
  const { name, type, elements, dimensions } = tensor
  const isVector = elements === dimensions[0] || name === 'token_types.weight'
  const isAdded = isVector && (isKnownNetwork || /norm\.weight$|\.bias$/.test(name))
  if (isAdded ? type.name === 'F32' : type.isWeight) return
  if (type.name === 'I32' && !isKnownNetwork) return
  throw wrongType(tensor)
}

function wrongType({ name, type }: GgufTensorInfo): StarlingError {
  return invalidModel(
    `has the tensor ${quoted(name)} as ${type.name}, which llama.cpp does not support here`,
  )
}

function checkEmbeddingRows(tensors: Tensors, vocabularyTokens: number): void {
  const embedding = tensors.get('token_embd.weight')
  if (embedding?.dimensions.length !== 2 || embedding.dimensions[1] === vocabularyTokens) return
  throw invalidModel(
    `has ${vocabularyTokens} tokens, but "token_embd.weight" is for ${embedding.dimensions[1]}`,
  )
}

/** A length that is 0 for a layer which has the tensor of that length makes llama.cpp abort. */
function checkLayerNumbers(
  tensors: Tensors,
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

/** The lengths that llama.cpp asserts to be equal. */
function checkLengths(architecture: string, hyperparameters: Hyperparameters): void {
  const { embeddingLength, embeddingLengthOut, headCounts, keyLength, ropeDimensions } =
    hyperparameters
  if (embeddingLengthOut !== embeddingLength) {
    throw invalidModel(
      `has "embedding_length_out" at ${embeddingLengthOut} instead of ${embeddingLength}`,
    )
  }
  const [heads = 0] = headCounts
  if (FILLED_EMBEDDING.has(architecture) && heads * keyLength !== embeddingLength) {
    throw invalidModel(
      `has ${heads} heads of ${keyLength} numbers, which are not the ${embeddingLength} of an embedding`,
    )
  }
  if (architecture === 'qwen2' && ropeDimensions !== keyLength) {
    throw invalidModel(`has "rope.dimension_count" at ${ropeDimensions} instead of ${keyLength}`)
  }
}

/** The matrices that a layer may have, without `blk.N.` and `.weight`. */
function layerShapes(hyperparameters: Hyperparameters, layer: number): readonly Shape[] {
  const { embeddingLength: embedding, keyLength, valueLength, experts } = hyperparameters
  const query = (hyperparameters.headCounts[layer] ?? 0) * keyLength
  const headsKv = hyperparameters.headCountsKv[layer] ?? 0
  const [key, value] = [headsKv * keyLength, headsKv * valueLength]
  const feedForward = hyperparameters.feedForwardLengths[layer] ?? 0
  return [
    ['attn_qkv', [embedding, query + key + value]],
    ['attn_q', [embedding, query]],
    ['attn_k', [embedding, key]],
    ['attn_v', [embedding, value]],
    ['attn_output', [query, embedding]],
    ['ffn_gate', [embedding, feedForward]],
    ['ffn_up', [embedding, feedForward]],
    ['ffn_down', [feedForward, embedding]],
    ['ffn_gate_inp', [embedding, experts]],
    ['ffn_gate_exps', [embedding, feedForward, experts]],
    ['ffn_up_exps', [embedding, feedForward, experts]],
    ['ffn_down_exps', [feedForward, embedding, experts]],
  ]
}

function checkShape(tensors: Tensors, [name, axes]: Shape): void {
  const found = tensors.get(name)?.dimensions
  if (found === undefined) return
  // Axes that are left out have the length 1.
  const count = Math.max(axes.length, found.length)
  for (let axis = 0; axis < count; axis++) {
    if ((axes[axis] ?? 1) === (found[axis] ?? 1)) continue
    throw invalidModel(
      `has the tensor ${quoted(name)} with the shape ${found.join('x')} instead of ${axes.join('x')}`,
    )
  }
}
