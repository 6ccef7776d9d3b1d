import type { GgufModelFacts } from './gguf-model-facts.js'

/** How a model is loaded. */
export interface ModelMemoryOptions {
  readonly fileSizeBytes: number
  /** Concurrent answers. */
  readonly slots: number
  /** Prompt and answer together, in tokens, for each slot; limited to what the model was trained for. */
  readonly contextTokens: number
  /** The size of one number in the cache of keys and values. Default 2: F16. */
  readonly kvBytesPerElement?: number
  /** The most tokens that are evaluated at once, of all slots together. Default: 64 for each slot. */
  readonly batchTokens?: number
}

/** A process with Node.js and llama.cpp before any model is loaded. Measured: 105 to 155 MB. */
const PROCESS_BYTES = 192 * 1024 * 1024

/**
 * A token in the tables of node-llama-cpp and llama.cpp, with as many merges. Measured: 780 to 870
 * bytes.
 */
const TOKEN_BYTES = 900

/** llama.cpp rounds a context up to a multiple of this. */
const CONTEXT_STEP_TOKENS = 256

const DEFAULT_SLOT_BATCH_TOKENS = 64

/** The logits of one token for a slot: computed, copied and sorted. */
const CANDIDATE_BYTES = 64

/** The size of one number in a computation. */
const NUMBER_BYTES = 4

/** One element of the attention mask, in both of its forms. */
const MASK_BYTES = 6

/** The most numbers that a layer without attention keeps of the past for each number of the embedding. */
const STATE_NUMBERS = 256

/**
 * Estimates the memory of a model that is loaded in its own process: the file, the cache of keys and
 * values of all slots, tables, compute buffers, and the process. Meant to be at least the resident
 * memory, and at most 1.5 times that plus 150 MB (compared with two models, with several slots and
 * contexts).
 *
 * Pages of the file that are no longer needed after llama.cpp has copied the weights into another order
 * (Q4_0, Q4_K and others on some processors) are not counted: the system reclaims them. Layers with a
 * sliding window are counted as if they used the whole context.
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
  // Texts are evaluated as a whole; nothing is cached.
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

/** For one token, at the widest point of a layer. */
function calculationBytes(facts: GgufModelFacts): number {
  const { embeddingLength, feedForwardLength, headCount, keyLength } = facts
  return (4 * embeddingLength + 3 * feedForwardLength + 4 * headCount * keyLength) * NUMBER_BYTES
}

function roundedUp(contextTokens: number): number {
  return Math.ceil(contextTokens / CONTEXT_STEP_TOKENS) * CONTEXT_STEP_TOKENS
}
