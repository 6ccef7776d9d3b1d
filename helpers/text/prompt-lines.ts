const QUOTES = '"""'

/**
 * Joins the lines that are entered at a terminal into prompts. A prompt continues on the next line after
 * a backslash, until the closing quotes if it starts with `"""`, and after each pasted line.
 */
export class PromptLines {
  #lines: string[] = []
  #isQuoted = false

  /** Whether no prompt is unfinished. */
  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  /**
   * Adds a line that was entered.
   *
   * @returns the prompt, if it is complete
   */
  push(line: string): string | undefined {
    if (this.isEmpty) this.#isQuoted = line.startsWith(QUOTES)
    this.#lines.push(line)
    return this.#isQuoted ? this.#endQuoted(line) : this.#endPlain(line)
  }

  /**
   * Adds a pasted line that is followed by another one.
   *
   * @param typed the part of the line that was typed before the paste
   */
  paste(line: string, typed: string): void {
    // Quotes in a pasted file are content.
    if (this.isEmpty) this.#isQuoted = typed.startsWith(QUOTES)
    this.#lines.push(line)
  }

  /** Discards the lines of an unfinished prompt. */
  clear(): void {
    this.#lines = []
    this.#isQuoted = false
  }

  #endPlain(line: string): string | undefined {
    if (line.endsWith('\\')) {
      this.#lines[this.#lines.length - 1] = line.slice(0, -1)
      return undefined
    }
    return this.#take()
  }

  #endQuoted(line: string): string | undefined {
    const isFirst = this.#lines.length === 1
    const ends = line.trimEnd().endsWith(QUOTES)
    if (!ends || (isFirst && line.trim().length < 2 * QUOTES.length)) return undefined
    return this.#take()
      .trimEnd()
      .slice(QUOTES.length, -QUOTES.length)
      .replace(/^\n|\n$/g, '')
  }

  #take(): string {
    const text = this.#lines.join('\n')
    this.clear()
    return text
  }
}
