/** One stop string, and how much of it is matched by the end of the text. */
interface Pattern {
  readonly characters: readonly string[]
  /** For each length of a match, the longest shorter one that ends with the same characters. */
  readonly fallbacks: readonly number[]
  readonly length: number
  matched: number
}

/**
 * Finds the first stop string in a text that arrives in pieces, and says how much of the text is
 * settled. Each character is processed once, however the text is cut: with the automaton of Knuth,
 * Morris and Pratt for each stop string (https://doi.org/10.1137/0206024).
 *
 * The first one to be complete ends the text; of those that end with the same character, the longest.
 * Characters are code points, so that no half of one is ever matched.
 *
 * @example
 * const stop = new StopStrings(['\n\nUser:'])
 * const at = stop.push('Yes.\n\nUs') // null; stop.settled is 4
 */
export class StopStrings {
  readonly #patterns: readonly Pattern[]
  #length = 0
  #settled = 0

  constructor(stops: readonly string[]) {
    this.#patterns = stops.filter((stop) => stop !== '').map(patternOf)
  }

  /** The length of the text in which no stop string can begin any more. */
  get settled(): number {
    return this.#settled
  }

  /**
   * Reads on.
   *
   * @returns the offset in the whole text of the stop string that this piece completes, or null;
   *   nothing may be pushed after a match
   */
  push(text: string): number | null {
    if (this.#patterns.length === 0) {
      this.#length += text.length
      this.#settled = this.#length
      return null
    }
    for (const character of text) {
      this.#length += character.length
      const begin = this.#step(character)
      if (begin !== null) {
        this.#settled = begin
        return begin
      }
    }
    let held = 0
    for (const pattern of this.#patterns) held = Math.max(held, matchedLength(pattern))
    this.#settled = this.#length - held
    return null
  }

  #step(character: string): number | null {
    let longest = 0
    for (const pattern of this.#patterns) {
      let { matched } = pattern
      while (matched > 0 && pattern.characters[matched] !== character) {
        matched = pattern.fallbacks[matched - 1] ?? 0
      }
      if (pattern.characters[matched] === character) matched += 1
      pattern.matched = matched
      if (matched === pattern.characters.length) longest = Math.max(longest, pattern.length)
    }
    return longest === 0 ? null : this.#length - longest
  }
}

function patternOf(stop: string): Pattern {
  const characters = [...stop]
  const fallbacks = [0]
  let matched = 0
  for (const character of characters.slice(1)) {
    while (matched > 0 && characters[matched] !== character) matched = fallbacks[matched - 1] ?? 0
    if (characters[matched] === character) matched += 1
    fallbacks.push(matched)
  }
  return { characters, fallbacks, length: stop.length, matched: 0 }
}

/** In UTF-16 code units. */
function matchedLength({ characters, matched }: Pattern): number {
  let length = 0
  for (let index = 0; index < matched; index++) length += characters[index]?.length ?? 0
  return length
}
