const QUOTES = '"""'

/**
 * Puts prompts of several lines together at a terminal, where each line comes by itself. A line that
 * ends with a backslash goes on in the next one; what begins with `"""` goes on until a line ends with
 * it; a line that was pasted goes on whatever it holds.
 */
export class PromptLines {
  #lines: string[] = []
  #isQuoted = false

  /** Whether no line waits for the next one. */
  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  /**
   * A line that was typed, or completed by hand.
   *
   * @returns the whole prompt, when it ends here
   */
  push(line: string): string | undefined {
    if (this.isEmpty) this.#isQuoted = line.startsWith(QUOTES)
    this.#lines.push(line)
    return this.#isQuoted ? this.#endQuoted(line) : this.#endPlain(line)
  }

  /**
   * A line that was pasted, and another one follows.
   *
   * @param typed what was typed before it in the same line
   */
  paste(line: string, typed: string): void {
    // A file that begins with quotes is not to be waited for.
    if (this.isEmpty) this.#isQuoted = typed.startsWith(QUOTES)
    this.#lines.push(line)
  }

  /** Forgets the lines that wait. */
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
