import type { GgufModelFacts } from './gguf-model-facts.js'

/** How a model is to be loaded. */
export interface ModelMemoryOptions {
  readonly fileSizeBytes: number
  /** Answers side by side. */
  readonly slots: number
  /** Prompt and answer together, for each slot; no more than the model was trained for is counted. */
  readonly contextTokens: number
  /** Of one number in the cache of keys and values. Default 2: F16. */
  readonly kvBytesPerElement?: number
  /** Tokens that are evaluated at once, of all slots together. Default: 64 for each slot. */
  readonly batchTokens?: number
}

/** A process with Node.js and llama.cpp before any model is loaded. Measured: 105 to 155 MB. */
const PROCESS_BYTES = 192 * 1024 * 1024

/** A token in its tables, here and in llama.cpp, with as many merges. Measured: 780 to 870 bytes. */
const TOKEN_BYTES = 900

/** llama.cpp rounds a context up to a multiple of this. */
const CONTEXT_STEP_TOKENS = 256

const DEFAULT_SLOT_BATCH_TOKENS = 64

/** The likelihoods of all tokens of a slot, as they are computed, copied out and sorted. */
const CANDIDATE_BYTES = 64

/** One number of a calculation. */
const NUMBER_BYTES = 4

/** One element of the attention mask, in both of its forms. */
const MASK_BYTES = 6

/** Numbers that a layer without attention keeps of the past, for one of its embedding; at most. */
const STATE_NUMBERS = 256

/**
 * How much memory a model takes, loaded in a process of its own: the file, the cache of keys and
 * values of all slots, tables, room to calculate, and the process. Meant to be no less than what the
 * system shows as resident, and at most 1.5 times that and 150 MB more (held against two models, at
 * several slots and contexts).
 *
 * Not counted are pages of the file that are no longer needed after llama.cpp copied the weights
 * into another order (Q4_0, Q4_K and others on some processors): the system takes them back. Layers
 * that look back less far than the context are counted as if they did not.
 *
 * @returns bytes, memory of a GPU included
 */
export function estimateModelMemoryBytes(
  facts: GgufModelFacts,
  options: ModelMemoryOptions,
): number {
  const { fileSizeBytes, slots } = options
  const contextTokens = roundedUp(Math.min(options.contextTokens, facts.contextTokens))
  // An embedding is computed from the whole text at once.
  const batchTokens =
    options.batchTokens ?? (facts.isEmbedding ? contextTokens : slots * DEFAULT_SLOT_BATCH_TOKENS)
  return Math.ceil(
    PROCESS_BYTES +
      fileSizeBytes +
      facts.vocabularyTokens * (TOKEN_BYTES + slots * CANDIDATE_BYTES) +
      slots * slotBytes(facts, contextTokens, options.kvBytesPerElement ?? 2) +
      batchTokens * (calculationBytes(facts) + contextTokens * MASK_BYTES),
  )
}

/** The cache of one conversation. */
function slotBytes(facts: GgufModelFacts, contextTokens: number, kvBytes: number): number {
  const { headCountKv, layers, keyLength, valueLength, embeddingLength } = facts
  // Texts are read as a whole, nothing of them is kept.
  if (facts.architecture.includes('bert')) return 0
  const heads =
    typeof headCountKv === 'number' ? new Array<number>(layers).fill(headCountKv) : headCountKv
  return heads.reduce(
    (sum, count) =>
      sum +
      (count > 0
        ? contextTokens * count * (keyLength + valueLength) * kvBytes
        : embeddingLength * STATE_NUMBERS * NUMBER_BYTES),
    0,
  )
}

/** For one token, at the widest place of a layer. */
function calculationBytes(facts: GgufModelFacts): number {
  const { embeddingLength, feedForwardLength, headCount, keyLength } = facts
  return (4 * embeddingLength + 3 * feedForwardLength + 4 * headCount * keyLength) * NUMBER_BYTES
}

function roundedUp(contextTokens: number): number {
  return Math.ceil(contextTokens / CONTEXT_STEP_TOKENS) * CONTEXT_STEP_TOKENS
}
