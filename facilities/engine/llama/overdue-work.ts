/**
 * How long one step of a request may take: a token, a piece of a prompt, a template, a grammar. On a
 * small model each takes milliseconds.
 */
export const STEP_TIMEOUT_MS = 10_000

/**
 * Multiplied by the time of a token on this machine, for each token that is computed: the limit if it
 * is higher.
 */
const TOKEN_FACTOR = 20

/** The size of libuv's thread pool: further native work waits. */
const NATIVE_THREADS = 4

/** A token that is being chosen by a grammar. */
export interface Choice {
  readonly request: number
  /** How many tokens were chosen for the request before. */
  readonly index: number
}

/** The current work of an engine's process, from its own reports. */
export interface WorkReport {
  /** Computations that have ended since the start. */
  readonly done: number
  /** Tokens in the running ones; 0 if there are none. */
  readonly tokens: number
  /** In the order in which they began. */
  readonly choosing: readonly Choice[]
}

/** Work that has taken too long. */
export interface Overdue {
  readonly reason: string
  /** The requests that caused it; empty if they are unknown. */
  readonly requests: readonly number[]
}

/**
 * Detects native work that does not finish, from reports at regular intervals. It counts reports instead
 * of using a clock, because a laptop may be suspended in between.
 */
export class OverdueWork {
  readonly #intervalMs: number
  #tokenMs = 0
  #done = 0
  /** Reports in a row without progress. */
  #idleReports = 0
  /** Reports since the first one that named a choice. */
  #choices: ReadonlyMap<string, number> = new Map()

  /** @param intervalMs between two reports */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** @param tokenMs the time per token, as measured when the model was loaded */
  measured(tokenMs: number): void {
    this.#tokenMs = tokenMs
  }

  /** @returns what is overdue; null when nothing is */
  reported({ done, tokens, choosing }: WorkReport): Overdue | null {
    this.#idleReports = tokens > 0 && done === this.#done ? this.#idleReports + 1 : 0
    this.#done = done
    this.#choices = new Map(
      choosing.map(({ request, index }) => {
        const key = `${request}.${index}`
        return [key, (this.#choices.get(key) ?? -1) + 1]
      }),
    )
    const stuck = choosing.filter(({ request, index }) =>
      this.#isOverdue(this.#choices.get(`${request}.${index}`) ?? 0, 1),
    )
    if (stuck.length > 0) {
      // The choices queued behind them have not begun.
      const requests = stuck.slice(0, NATIVE_THREADS).map(({ request }) => request)
      return { reason: `choosing a token with it took longer than ${this.#seconds(1)} s`, requests }
    }
    // Nothing is computed while a token is chosen: all answers that are computed together wait for it.
    if (choosing.length > 0 || !this.#isOverdue(this.#idleReports, tokens)) return null
    return {
      reason: `computing ${tokens} tokens took longer than ${this.#seconds(tokens)} s`,
      requests: [],
    }
  }

  #isOverdue(reports: number, tokens: number): boolean {
    return reports * this.#intervalMs >= this.#limitMs(tokens)
  }

  #seconds(tokens: number): number {
    return Math.ceil(this.#limitMs(tokens) / 1000)
  }

  #limitMs(tokens: number): number {
    return Math.max(STEP_TIMEOUT_MS, TOKEN_FACTOR * this.#tokenMs * tokens)
  }
}
