import type { Clock, Timer } from '../../clock/clock.js'

/** Lines are counted in windows of this length, each starting with its first line. */
const LINE_WINDOW_MS = 60_000

/** How many lines of one source are written in each window. */
const MAX_LISTED_REFUSALS = 5

/**
 * Sources that are counted separately in one window, about 200 bytes each. Further ones are counted as
 * one.
 */
const MAX_LISTED_SOURCES = 256

/** The source of all lines that are not counted separately. */
const OTHER_SOURCES = 'others'

/** The lines that were not written in one window. */
export interface UnwrittenLines {
  /** Their source. */
  readonly source: string
  readonly count: number
  /** Their number, by error code. */
  readonly codes: Readonly<Record<string, number>>
}

interface Lines {
  written: number
  readonly unwritten: Map<string, number>
}

/**
 * Limits log lines that others can cause thousands of times a second. The first few of each source in each
 * minute are written. The others are counted by error code, and the counts are written when the minute ends.
 */
export class LimitedLines {
  readonly #clock: Clock
  readonly #writeUnwritten: (lines: UnwrittenLines) => void
  readonly #sources = new Map<string, Lines>()
  #windowEnd: Timer | null = null

  constructor(clock: Clock, writeUnwritten: (lines: UnwrittenLines) => void) {
    this.#clock = clock
    this.#writeUnwritten = writeUnwritten
  }

  /** Counts a line. @returns whether it is to be written */
  admits(source: string, code: string): boolean {
    this.#windowEnd ??= this.#clock.schedule(LINE_WINDOW_MS, () => this.#endWindow())
    const lines = this.#linesOf(source)
    if (lines.written < MAX_LISTED_REFUSALS) {
      lines.written += 1
      return true
    }
    lines.unwritten.set(code, (lines.unwritten.get(code) ?? 0) + 1)
    return false
  }

  /** Writes the counts of the current window. A later line starts a new one. */
  close(): void {
    this.#windowEnd?.cancel()
    this.#endWindow()
  }

  #linesOf(source: string): Lines {
    const isKnown = this.#sources.has(source) || this.#sources.size < MAX_LISTED_SOURCES
    const name = isKnown ? source : OTHER_SOURCES
    const lines = this.#sources.get(name) ?? { written: 0, unwritten: new Map<string, number>() }
    this.#sources.set(name, lines)
    return lines
  }

  #endWindow(): void {
    this.#windowEnd = null
    for (const [source, { unwritten }] of this.#sources) {
      if (unwritten.size === 0) continue
      const count = [...unwritten.values()].reduce((sum, some) => sum + some, 0)
      this.#writeUnwritten({ source, count, codes: Object.fromEntries(unwritten) })
    }
    this.#sources.clear()
  }
}
