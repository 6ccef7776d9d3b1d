// The widths of characters come from Unicode tables that change every year.
import stringWidth from 'string-width'

/** A longer word, such as a URL, is written before its end is known. In columns. */
const MAX_HELD_COLUMNS = 40

/** On a narrower terminal lines are not wrapped by words. */
const MIN_COLUMNS = 10

const TAB_COLUMNS = 8

/** A line end, blanks, or other characters. */
const RUNS = /\n|[ \t\u200b]+|[^\n \t\u200b]+/g

/** Chinese and Japanese punctuation that must not start a line. */
const CLOSING = /^[、。，．！？：；）」』】〉》〕…ー々]/

const graphemes = new Intl.Segmenter()

/**
 * Wraps text that arrives in pieces at the width of the terminal, between words. A word is held back until
 * its end is known. Lines may also be wrapped between wide characters, as in Chinese, Japanese and Korean.
 * Line ends and indentation are kept.
 */
export class WordWrap {
  readonly #columns: () => number | undefined
  /** The width of the current line. */
  #column = 0
  /** Blanks after the last word. They are written before the next one, or replaced by a line end. */
  #gap = ''
  /** A word whose end is not known yet. */
  #word = ''
  /** Whether a long word was written before its end. Its rest is not held back. */
  #isWithinWord = false

  /** @param columns the current width of the terminal; undefined or 0 if it is not known */
  constructor(columns: () => number | undefined) {
    this.#columns = columns
  }

  /** Adds a piece. @returns the text that can be written now */
  push(piece: string): string {
    const columns = this.#columns() ?? 0
    if (columns < MIN_COLUMNS) return this.#unwrapped(piece)
    let written = ''
    for (const [run] of piece.matchAll(RUNS)) {
      if (run === '\n') {
        written += `${this.#endWord(columns)}${this.#fittingGap(columns)}\n`
        this.#startLine()
      } else if (/^[ \t\u200b]/.test(run)) {
        written += this.#endWord(columns)
        this.#gap += run
      } else {
        written += this.#goOn(run, columns)
      }
    }
    return written
  }

  /** Ends the text. @returns the rest of it */
  end(): string {
    const columns = this.#columns() ?? 0
    const rest =
      columns < MIN_COLUMNS
        ? this.#unwrapped('')
        : this.#endWord(columns) + this.#fittingGap(columns)
    this.#startLine()
    return rest
  }

  #unwrapped(piece: string): string {
    const text = this.#gap + this.#word + piece
    this.#gap = ''
    this.#word = ''
    return text
  }

  #startLine(): void {
    this.#column = 0
    this.#gap = ''
  }

  /** Adds characters to the current word. Places all but its last part, and that too if it is long. */
  #goOn(run: string, columns: number): string {
    if (this.#isWithinWord) return this.#write(run, columns)
    const parts = unbreakableParts(this.#word + run)
    const last = parts.pop() ?? ''
    let written = parts.map((part) => this.#place(part, columns)).join('')
    this.#word = last
    if (stringWidth(last) > Math.min(MAX_HELD_COLUMNS, columns)) {
      written += this.#place(last, columns)
      this.#word = ''
      this.#isWithinWord = true
    }
    return written
  }

  #endWord(columns: number): string {
    const word = this.#word
    this.#word = ''
    this.#isWithinWord = false
    return word === '' ? '' : this.#place(word, columns)
  }

  /** Writes a part on the current line if it fits, otherwise on the next one. */
  #place(part: string, columns: number): string {
    const gapEnd = columnAfter(this.#gap, this.#column)
    const isTooLong = this.#column > 0 && gapEnd + stringWidth(part) > columns
    const before = isTooLong ? '\n' : this.#gap
    this.#column = isTooLong ? 0 : gapEnd
    this.#gap = ''
    return before + this.#write(part, columns)
  }

  /** Writes text that may be longer than a line. The terminal wraps it. */
  #write(text: string, columns: number): string {
    const column = this.#column + stringWidth(text)
    this.#column = column <= columns ? column : ((column - 1) % columns) + 1
    return text
  }

  /** The blanks at the end of a line, if they fit on it. */
  #fittingGap(columns: number): string {
    const gapEnd = columnAfter(this.#gap, this.#column)
    const gap = gapEnd <= columns ? this.#gap : ''
    this.#column = gap === '' ? this.#column : gapEnd
    this.#gap = ''
    return gap
  }
}

/** The column after some blanks. */
function columnAfter(blanks: string, column: number): number {
  let end = column
  for (const blank of blanks) {
    if (blank === '\t') end += TAB_COLUMNS - (end % TAB_COLUMNS)
    else if (blank === ' ') end += 1
  }
  return end
}

/** Splits a word where a line may be wrapped: before and after wide characters. */
function unbreakableParts(word: string): string[] {
  const parts: string[] = []
  let isAfterWide = true
  for (const { segment } of graphemes.segment(word)) {
    const isWide = stringWidth(segment) > 1
    const last = parts.at(-1)
    if (last !== undefined && (CLOSING.test(segment) || (!isWide && !isAfterWide))) {
      parts[parts.length - 1] = last + segment
    } else {
      parts.push(segment)
    }
    isAfterWide = isWide
  }
  return parts
}
