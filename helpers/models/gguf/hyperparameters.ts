import { invalidModel, quoted } from './invalid-model.js'
import type { MetadataReader, NumberRange } from './metadata-reader.js'
import { hasAttention } from './model-architectures.js'

/** `LLAMA_MAX_LAYERS` and `LLAMA_MAX_EXPERTS` of llama.cpp, which ends the process beyond them. */
const MAX_LAYERS = 512
const MAX_EXPERTS = 1024

/** Far beyond any model: larger numbers mean a damaged file, and would overflow 32 bits when doubled. */
const LENGTH_RANGE: NumberRange = { min: 1, max: 1_048_576 }
const OPTIONAL_LENGTH_RANGE: NumberRange = { min: 0, max: LENGTH_RANGE.max }
const FEED_FORWARD_RANGE: NumberRange = { min: 0, max: 16_777_216 }
const CONTEXT_RANGE: NumberRange = { min: 1, max: 1_073_741_824 }
/** None, mean, cls, last, rank. */
const POOLING_TYPE: NumberRange = { min: 0, max: 4 }
const ANY: NumberRange = { min: 0, max: 0xffff_ffff }

const FINITE: NumberRange = { min: -3.5e38, max: 3.5e38 }
const EPSILON: NumberRange = { min: 1e-30, max: 1 }
const ROPE_BASE: NumberRange = { min: 0, max: 1e30 }

/** Those that llama.cpp knows; any other ends the process. */
const ROPE_SCALING_TYPES = new Set(['none', 'linear', 'yarn', 'longrope'])

/** The numbers of a network that all architectures of llama.cpp share. */
export interface Hyperparameters {
  /** The context that the model was trained for, in tokens. */
  readonly contextTokens: number
  readonly layers: number
  readonly embeddingLength: number
  /** The length of the resulting vectors. */
  readonly embeddingLengthOut: number
  /** One for each layer. 0 where a layer has none. */
  readonly feedForwardLengths: readonly number[]
  /** Query heads of each layer. All 0 when the architecture has no attention. */
  readonly headCounts: readonly number[]
  /** Key and value heads of each layer; fewer than query heads are shared among them. */
  readonly headCountsKv: readonly number[]
  /** The length of one head's key. */
  readonly keyLength: number
  /** The length of one head's value. */
  readonly valueLength: number
  /** How many numbers of each head's key are rotated by the position. */
  readonly ropeDimensions: number
  readonly experts: number
  /** How a sequence becomes one vector, as llama.cpp's code. */
  readonly poolingType: number | undefined
}

/**
 * Reads and checks the hyperparameters that llama.cpp reads for every architecture, by its own rules
 * (`llama_model_base::load_hparams`), most of which end the process when they are violated.
 *
 * @throws StarlingError MODEL_INVALID, naming the key
 */
export function readHyperparameters(keys: MetadataReader, architecture: string): Hyperparameters {
  const key = (name: string) => `${architecture}.${name}`
  const contextTokens = keys.requiredWhole(key('context_length'), CONTEXT_RANGE)
  const embeddingLength = keys.requiredWhole(key('embedding_length'), LENGTH_RANGE)
  const layers = keys.requiredWhole(key('block_count'), { min: 1, max: MAX_LAYERS })
  keys.whole(key('nextn_predict_layers'), { min: 0, max: layers })
  const heads = hasAttention(architecture)
    ? readHeads(keys, key, layers, embeddingLength)
    : noHeads(keys, key, layers)
  checkEpsilons(keys, key)
  checkRope(keys, key)
  checkKindsOnly(keys, key)
  return {
    contextTokens,
    layers,
    embeddingLength,
    // 0 means unknown.
    embeddingLengthOut:
      keys.whole(key('embedding_length_out'), OPTIONAL_LENGTH_RANGE) || embeddingLength,
    feedForwardLengths:
      keys.perLayer(key('feed_forward_length'), layers, FEED_FORWARD_RANGE) ?? zeros(layers),
    ...heads,
    experts: readExperts(keys, key, layers),
    poolingType: keys.whole(key('pooling_type'), POOLING_TYPE),
  }
}

/**
 * The hyperparameters of an architecture whose rules are unknown here: those that the memory estimate
 * needs. llama.cpp checks the rest, in a process that may end because of it.
 *
 * @throws StarlingError MODEL_INVALID, naming the key
 */
export function outlineOf(keys: MetadataReader, architecture: string): Hyperparameters {
  const key = (name: string) => `${architecture}.${name}`
  const layers = keys.requiredWhole(key('block_count'), { min: 1, max: MAX_LAYERS })
  const embeddingLength = keys.requiredWhole(key('embedding_length'), LENGTH_RANGE)
  const none = new Array<number>(layers).fill(0)
  const headCounts =
    keys.perLayer(key('attention.head_count'), layers, OPTIONAL_LENGTH_RANGE) ?? none
  const heads = Math.max(...headCounts)
  const perHead = heads === 0 ? 0 : Math.ceil(embeddingLength / heads)
  const keyLength = keys.whole(key('attention.key_length'), LENGTH_RANGE) ?? perHead
  return {
    contextTokens: keys.requiredWhole(key('context_length'), CONTEXT_RANGE),
    layers,
    embeddingLength,
    embeddingLengthOut: embeddingLength,
    feedForwardLengths:
      keys.perLayer(key('feed_forward_length'), layers, FEED_FORWARD_RANGE) ?? none,
    headCounts,
    headCountsKv:
      keys.perLayer(key('attention.head_count_kv'), layers, OPTIONAL_LENGTH_RANGE) ?? headCounts,
    keyLength,
    valueLength: keys.whole(key('attention.value_length'), LENGTH_RANGE) ?? perHead,
    ropeDimensions: keyLength,
    experts: 0,
    poolingType: undefined,
  }
}

type Heads = Pick<
  Hyperparameters,
  'headCounts' | 'headCountsKv' | 'keyLength' | 'valueLength' | 'ropeDimensions'
>

type KeyOf = (name: string) => string

function readHeads(
  keys: MetadataReader,
  key: KeyOf,
  layers: number,
  embeddingLength: number,
): Heads {
  const headKey = key('attention.head_count')
  const headCounts = keys.perLayer(headKey, layers, OPTIONAL_LENGTH_RANGE)
  if (headCounts === undefined) {
    throw invalidModel(`has no ${quoted(headKey)}, which llama.cpp needs`)
  }
  const kvKey = key('attention.head_count_kv')
  const headCountsKv = keys.perLayer(kvKey, layers, OPTIONAL_LENGTH_RANGE) ?? headCounts
  // Layers without attention may have 0 heads, and the first layer may be one of them.
  const heads = headCounts.find((count) => count > 0)
  if (heads === undefined) throw invalidModel(`has ${quoted(headKey)} at 0`)
  for (const [layer, count] of headCounts.entries()) {
    const kv = headCountsKv[layer] ?? 0
    if (kv > 0 && count % kv !== 0) {
      throw invalidModel(
        `has ${count} heads in layer ${layer}, which cannot share the ${kv} of ${quoted(kvKey)}`,
      )
    }
  }
  const keyLength = keys.whole(key('attention.key_length'), LENGTH_RANGE)
  const valueLength = keys.whole(key('attention.value_length'), LENGTH_RANGE)
  if (keyLength === undefined && embeddingLength % heads !== 0) {
    throw invalidModel(
      `has an embedding length of ${embeddingLength}, which ${quoted(headKey)} of ${heads} does not divide`,
    )
  }
  const perHead = Math.floor(embeddingLength / heads)
  return {
    headCounts,
    headCountsKv,
    keyLength: keyLength ?? perHead,
    valueLength: valueLength ?? perHead,
    ropeDimensions:
      keys.whole(key('rope.dimension_count'), OPTIONAL_LENGTH_RANGE) ?? keyLength ?? perHead,
  }
}

function noHeads(keys: MetadataReader, key: KeyOf, layers: number): Heads {
  // Still read by llama.cpp, so they must have the right type.
  keys.perLayer(key('attention.head_count'), layers, OPTIONAL_LENGTH_RANGE)
  keys.perLayer(key('attention.head_count_kv'), layers, OPTIONAL_LENGTH_RANGE)
  const none = zeros(layers)
  return { headCounts: none, headCountsKv: none, keyLength: 0, valueLength: 0, ropeDimensions: 0 }
}

function readExperts(keys: MetadataReader, key: KeyOf, layers: number): number {
  const experts = keys.whole(key('expert_count'), { min: 0, max: MAX_EXPERTS }) ?? 0
  const usedKey = key('expert_used_count')
  const used = Math.max(0, ...(keys.perLayer(usedKey, layers, { min: 0, max: experts }) ?? []))
  if (experts > 0 && used === 0)
    throw invalidModel(`has ${experts} experts, but no ${quoted(usedKey)}`)
  const groupsKey = key('expert_group_count')
  const groups = keys.whole(groupsKey, { min: 0, max: Math.max(0, experts - 1) }) ?? 0
  if (groups > 1) {
    if (experts % groups !== 0) {
      throw invalidModel(
        `has ${experts} experts, which ${quoted(groupsKey)} of ${groups} does not divide`,
      )
    }
    keys.requiredWhole(key('expert_group_used_count'), { min: 1, max: groups - 1 })
  } else {
    keys.whole(key('expert_group_used_count'), ANY)
  }
  return experts
}

function checkEpsilons(keys: MetadataReader, key: KeyOf): void {
  const rmsKey = key('attention.layer_norm_rms_epsilon')
  const rms = keys.real(rmsKey, EPSILON)
  const norm = keys.real(key('attention.layer_norm_epsilon'), EPSILON)
  if (rms === undefined && norm === undefined) {
    throw invalidModel(`has no ${quoted(rmsKey)}, which llama.cpp needs`)
  }
}

function checkRope(keys: MetadataReader, key: KeyOf): void {
  const scalingKey = key('rope.scaling.type')
  const scaling = keys.text(scalingKey)
  if (scaling !== undefined && !ROPE_SCALING_TYPES.has(scaling)) {
    throw invalidModel(
      `has ${quoted(scalingKey)} at ${quoted(scaling)}, which llama.cpp does not know`,
    )
  }
  keys.real(key('rope.freq_base'), ROPE_BASE)
  keys.real(key('rope.freq_base_swa'), ROPE_BASE)
  // Some files without scaling contain 0.
  for (const name of ['rope.scaling.factor', 'rope.scale_linear']) {
    keys.real(key(name), { min: 0, max: 1e9 })
  }
  keys.real(key('rope.scaling.attn_factor'), FINITE)
  keys.real(key('rope.scaling.alpha'), FINITE)
  keys.whole(key('rope.scaling.original_context_length'), { ...CONTEXT_RANGE, min: 0 })
  keys.bool(key('rope.scaling.finetuned'))
}

/** What llama.cpp reads for all architectures; only the type has to be right. */
function checkKindsOnly(keys: MetadataReader, key: KeyOf): void {
  for (const name of [
    'attention.key_length_swa',
    'attention.value_length_swa',
    'rope.dimension_count_swa',
  ]) {
    keys.whole(key(name), OPTIONAL_LENGTH_RANGE)
  }
  keys.bool(key('attention.causal'))
  keys.texts(key('classifier.output_labels'))
}

function zeros(layers: number): readonly number[] {
  return new Array<number>(layers).fill(0)
}
