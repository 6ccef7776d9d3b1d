/**
 * Finds where a JSON value ends in a text that arrives in pieces. Does not check whether it is valid
 * JSON: that is left to a parser.
 *
 * A bare word or number ends before the white space, comma or closing bracket after it.
 */
export class JsonEnd {
  #depth = 0
  #state: 'before' | 'inside' | 'string' | 'escape' | 'bare' = 'before'

  /**
   * @returns the offset in this piece at which the value ends, or null; nothing may be pushed after it
   */
  push(piece: string): number | null {
    for (let index = 0; index < piece.length; index++) {
      const end = this.#step(piece.charAt(index))
      if (end !== null) return index + end
    }
    return null
  }

  /** 1: the value ends after this character, 0: before it, null: it continues. */
  #step(character: string): 0 | 1 | null {
    switch (this.#state) {
      case 'escape':
        this.#state = 'string'
        return null
      case 'string':
        if (character === '\\') this.#state = 'escape'
        if (character !== '"') return null
        this.#state = 'inside'
        return this.#depth === 0 ? 1 : null
      case 'bare':
        return isWhiteSpace(character) || ',]}'.includes(character) ? 0 : null
      case 'before':
        if (isWhiteSpace(character)) return null
        this.#state = '{["'.includes(character) ? 'inside' : 'bare'
        return this.#state === 'inside' ? this.#structure(character) : null
      case 'inside':
        return this.#structure(character)
    }
  }

  #structure(character: string): 1 | null {
    if (character === '"') this.#state = 'string'
    else if (character === '{' || character === '[') this.#depth += 1
    else if (character === '}' || character === ']') {
      this.#depth -= 1
      return this.#depth <= 0 ? 1 : null
    }
    return null
  }
}

function isWhiteSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\t' || character === '\r'
}
