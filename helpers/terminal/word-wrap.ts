// How wide a terminal shows a text is a table of Unicode that grows every year.
import stringWidth from 'string-width'

/** A longer word is written before it has ended: addresses and the like. In columns. */
const MAX_HELD_COLUMNS = 40

/** On a narrower terminal nothing is gained by keeping words whole. */
const MIN_COLUMNS = 10

const TAB_COLUMNS = 8

/** A line end, blanks where a line may be broken, or anything else. */
const RUNS = /\n|[ \t\u200b]+|[^\n \t\u200b]+/g

/** Punctuation of Chinese and Japanese that no line begins with. */
const CLOSING = /^[、。，．！？：；）」』】〉》〕…ー々]/

const graphemes = new Intl.Segmenter()

/**
 * Breaks the lines of a text that arrives in pieces between its words, as the terminal is wide: the
 * terminal itself would break them anywhere. A word is held back until it ends. Between the wide
 * characters of Chinese, Japanese and Korean a line may be broken, too. Line ends and indentation stay.
 */
export class WordWrap {
  readonly #columns: () => number | undefined
  /** Columns that the last line has. */
  #column = 0
  /** Blanks after the last word: they are written with the next one, or a line end in their place. */
  #gap = ''
  /** A word that may go on. */
  #word = ''
  /** A word was written before its end: the rest of it follows at once. */
  #isWithinWord = false

  /** @param columns how wide the terminal is at the moment; undefined or 0 when that is not known */
  constructor(columns: () => number | undefined) {
    this.#columns = columns
  }

  /** What can be written now that this piece is there. */
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

  /** What is left when no piece follows. The next one begins a line. */
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

  /** More of a word: all but its last part can be placed, and that too when it gets too long. */
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

  /** Writes a part whole: in this line if it has room, otherwise in the next. */
  #place(part: string, columns: number): string {
    const gapEnd = columnAfter(this.#gap, this.#column)
    const isTooLong = this.#column > 0 && gapEnd + stringWidth(part) > columns
    const before = isTooLong ? '\n' : this.#gap
    this.#column = isTooLong ? 0 : gapEnd
    this.#gap = ''
    return before + this.#write(part, columns)
  }

  /** Writes what may be longer than a line: the terminal breaks it. */
  #write(text: string, columns: number): string {
    const column = this.#column + stringWidth(text)
    this.#column = column <= columns ? column : ((column - 1) % columns) + 1
    return text
  }

  /** The blanks at the end of a line, unless they alone would begin another one. */
  #fittingGap(columns: number): string {
    const gapEnd = columnAfter(this.#gap, this.#column)
    const gap = gapEnd <= columns ? this.#gap : ''
    this.#column = gap === '' ? this.#column : gapEnd
    this.#gap = ''
    return gap
  }
}

/** The column that blanks lead to. */
function columnAfter(blanks: string, column: number): number {
  let end = column
  for (const blank of blanks) {
    if (blank === '\t') end += TAB_COLUMNS - (end % TAB_COLUMNS)
    else if (blank === ' ') end += 1
  }
  return end
}

/** A word cut where a line may be broken within it: before and after wide characters. */
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
