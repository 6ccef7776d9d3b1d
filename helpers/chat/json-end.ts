/**
 * Finds where a JSON value ends in a text that arrives in pieces. Only as much is looked at as that
 * takes: whether it is valid JSON is for a parser to say.
 *
 * A bare word or number ends before the white space, comma or closing bracket after it.
 */
export class JsonEnd {
  #depth = 0
  #state: 'before' | 'inside' | 'string' | 'escape' | 'bare' = 'before'

  /** @returns where in this piece the value ends, or null; after that nothing more is to be pushed */
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
