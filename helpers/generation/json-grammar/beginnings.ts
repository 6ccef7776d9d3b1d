import { CharacterSet } from './character-set.js'
import type { GrammarSymbol, Rule, Sequence } from './grammar-symbols.js'

const NOTHING = CharacterSet.of()

/** What the texts of a rule start with. */
interface RuleBeginning {
  readonly first: CharacterSet
  readonly isEmptiable: boolean
  readonly text: string | null
}

/** Computes what the texts of symbols and sequences can start with (FIRST sets). */
export class Beginnings {
  readonly #ofSymbols = new Map<GrammarSymbol, CharacterSet>()
  readonly #ofRules = new Map<Rule, RuleBeginning>()

  /** The possible first characters of a sequence. */
  first(sequence: Sequence): CharacterSet {
    let first = NOTHING
    for (let node = sequence; node !== null; node = node.tail) {
      first = first.union(this.firstOf(node.head))
      if (!this.mayBeEmpty(node.head)) break
    }
    return first
  }

  firstOf(symbol: GrammarSymbol): CharacterSet {
    const known = this.#ofSymbols.get(symbol)
    if (known !== undefined) return known
    const first = this.#firstOf(symbol)
    this.#ofSymbols.set(symbol, first)
    return first
  }

  #firstOf(symbol: GrammarSymbol): CharacterSet {
    switch (symbol.kind) {
      case 'literal':
        return CharacterSet.of(symbol.text)
      case 'characters':
        return symbol.set
      case 'call':
        return this.#ofRule(symbol.rule).first
      case 'repetition':
        return this.firstOf(symbol.of)
    }
  }

  /** Whether the symbol matches the empty text. */
  mayBeEmpty(symbol: GrammarSymbol): boolean {
    if (symbol.kind === 'repetition') return symbol.min === 0
    return symbol.kind === 'call' && this.#ofRule(symbol.rule).isEmptiable
  }

  /** The longest known literal that all texts of a symbol start with; null if there is none. */
  textOf(symbol: GrammarSymbol): string | null {
    if (symbol.kind === 'literal') return symbol.text
    return symbol.kind === 'call' ? this.#ofRule(symbol.rule).text : null
  }

  #ofRule(rule: Rule): RuleBeginning {
    const known = this.#ofRules.get(rule)
    if (known !== undefined) return known
    const isEmptiable = rule.alternatives.some((alternative) => {
      for (let node = alternative; node !== null; node = node.tail) {
        if (!this.mayBeEmpty(node.head)) return false
      }
      return true
    })
    const first = rule.alternatives.reduce((all, one) => all.union(this.first(one)), NOTHING)
    const texts = rule.alternatives.map((one) => (one === null ? null : this.textOf(one.head)))
    const found = { first, isEmptiable, text: commonText(texts) }
    this.#ofRules.set(rule, found)
    return found
  }
}

function commonText(texts: readonly (string | null)[]): string | null {
  const known = texts.filter((text) => text !== null)
  const common = known.length === texts.length ? commonPrefix(known) : ''
  return common === '' ? null : common
}

/** The longest text that all begin with; whole characters. */
export function commonPrefix(texts: readonly string[]): string {
  const [first = '', ...others] = texts
  let length = 0
  for (const character of first) {
    if (!others.every((text) => text.startsWith(character, length))) break
    length += character.length
  }
  return first.slice(0, length)
}
