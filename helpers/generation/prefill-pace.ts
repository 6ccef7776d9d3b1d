/**
 * Tokens of a prompt that may be evaluated at once. Never 64 or more of one sequence: llama.cpp then
 * takes another path through its matrices, rounds differently, and the same seed no longer gives the
 * same answer.
 */
export const MAX_CHUNK_TOKENS = 63

/** Smaller chunks cost more time in total than they save for waiting requests. */
export const MIN_CHUNK_TOKENS = 16

/** How long a chunk may take if no other answer waits for it: cancelling and new requests wait for it. */
const ALONE_MS = 150

/** How much the latest chunk counts in what is expected of the next one. */
const WEIGHT = 0.5

/** What a {@link PrefillPace} keeps to. */
export interface PrefillPaceOptions {
  /** How long the answers beside may stand still for one chunk. */
  readonly maxStallMs: number
  /** Default {@link MAX_CHUNK_TOKENS}. */
  readonly mostTokens?: number
}

/**
 * Decides how many tokens of a prompt are evaluated at once: many when it is alone, because that is
 * fastest, and beside running answers as many as fit into the time for which those may stand still.
 * Learns from how long chunks took; whatever made one slow, another prompt in the same batch or a busy
 * machine, the next is smaller.
 */
export class PrefillPace {
  readonly #maxStallMs: number
  readonly #mostTokens: number
  /** What a token took, smoothed; null before the first. */
  #tokenMs: number | null = null

  constructor({ maxStallMs, mostTokens = MAX_CHUNK_TOKENS }: PrefillPaceOptions) {
    this.#maxStallMs = maxStallMs
    this.#mostTokens = Math.min(Math.max(mostTokens, MIN_CHUNK_TOKENS), MAX_CHUNK_TOKENS)
  }

  /** How many tokens the next chunk has. @param isAlone whether no other answer is under way */
  chunkTokens(isAlone: boolean): number {
    if (this.#tokenMs === null) return isAlone ? this.#mostTokens : MIN_CHUNK_TOKENS
    const budgetMs = isAlone ? Math.max(ALONE_MS, this.#maxStallMs) : this.#maxStallMs
    const fitting = Math.floor(budgetMs / this.#tokenMs)
    return fitting > MIN_CHUNK_TOKENS ? Math.min(fitting, this.#mostTokens) : MIN_CHUNK_TOKENS
  }

  /** Learns how long a chunk took, waiting for its turn included. */
  measured(tokens: number, elapsedMs: number): void {
    if (tokens < 1 || !Number.isFinite(elapsedMs) || elapsedMs <= 0) return
    const tokenMs = elapsedMs / tokens
    this.#tokenMs =
      this.#tokenMs === null ? tokenMs : this.#tokenMs + WEIGHT * (tokenMs - this.#tokenMs)
  }
}
