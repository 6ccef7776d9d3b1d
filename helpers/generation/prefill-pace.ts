/**
 * Tokens of a prompt that may be evaluated at once. Never 64 or more of one sequence: llama.cpp then
 * uses another matrix kernel, which rounds differently, and the same seed no longer gives the same
 * answer.
 */
export const MAX_CHUNK_TOKENS = 63

/** Smaller chunks cost more time in total than they save for waiting requests. */
export const MIN_CHUNK_TOKENS = 16

/** How long a chunk may take if no other answer waits for it: cancelling and new requests wait for it. */
const ALONE_MS = 150

/** The weight of the latest chunk in the moving average. */
const WEIGHT = 0.5

/** Options of a {@link PrefillPace}. */
export interface PrefillPaceOptions {
  /** How long other answers may pause for one chunk. */
  readonly maxStallMs: number
  /** Default {@link MAX_CHUNK_TOKENS}. */
  readonly mostTokens?: number
}

/**
 * Decides how many tokens of a prompt are evaluated at once: many when it is alone, because that is
 * fastest, otherwise as many as fit into the time for which the other answers may pause. Adapts to the
 * duration of chunks: whether another prompt in the same batch or a busy machine made one slow, the
 * next one is smaller.
 */
export class PrefillPace {
  readonly #maxStallMs: number
  readonly #mostTokens: number
  /** The time per token as a moving average; null before the first chunk. */
  #tokenMs: number | null = null

  constructor({ maxStallMs, mostTokens = MAX_CHUNK_TOKENS }: PrefillPaceOptions) {
    this.#maxStallMs = maxStallMs
    this.#mostTokens = Math.min(Math.max(mostTokens, MIN_CHUNK_TOKENS), MAX_CHUNK_TOKENS)
  }

  /** How many tokens the next chunk has. @param isAlone whether no other answer is in progress */
  chunkTokens(isAlone: boolean): number {
    if (this.#tokenMs === null) return isAlone ? this.#mostTokens : MIN_CHUNK_TOKENS
    const budgetMs = isAlone ? Math.max(ALONE_MS, this.#maxStallMs) : this.#maxStallMs
    const fitting = Math.floor(budgetMs / this.#tokenMs)
    return fitting > MIN_CHUNK_TOKENS ? Math.min(fitting, this.#mostTokens) : MIN_CHUNK_TOKENS
  }

  /** Records how long a chunk took, including the wait for its turn. */
  measured(tokens: number, elapsedMs: number): void {
    if (tokens < 1 || !Number.isFinite(elapsedMs) || elapsedMs <= 0) return
    const tokenMs = elapsedMs / tokens
    this.#tokenMs =
      this.#tokenMs === null ? tokenMs : this.#tokenMs + WEIGHT * (tokenMs - this.#tokenMs)
  }
}
