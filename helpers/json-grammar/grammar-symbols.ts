import type { CharacterSet } from './character-set.js'

/** A text that is taken as it stands; never empty. */
export interface Literal {
  readonly kind: 'literal'
  readonly id: number
  readonly text: string
}

/** One character of a set. */
export interface Characters {
  readonly kind: 'characters'
  readonly id: number
  readonly set: CharacterSet
}

/** What a rule describes. */
export interface Call {
  readonly kind: 'call'
  readonly id: number
  readonly rule: Rule
}

/** The same thing several times. */
export interface Repetition {
  readonly kind: 'repetition'
  readonly id: number
  readonly of: Characters | Call
  readonly min: number
  /** Null for as often as one likes. */
  readonly max: number | null
}

export type GrammarSymbol = Literal | Characters | Call | Repetition

/** Symbols one after the other; null is the end. Equal sequences are one object. */
export type Sequence = SequenceNode | null

export interface SequenceNode {
  readonly id: number
  readonly head: GrammarSymbol
  readonly tail: Sequence
  /** How many calls this sequence stands within; see {@link GrammarSymbols.entered}. */
  readonly depth: number
}

/** Alternatives. Rules that were made of equal alternatives are one object. */
export interface Rule {
  readonly id: number
  /** The place in the schema that it comes from. */
  readonly at: string
  /** Filled in later where a schema refers to itself. */
  alternatives: readonly Sequence[]
  /** Whether all alternatives are known to begin with different texts. */
  readonly isDistinct: boolean
}

/** A rule to be made. */
export interface RuleParts {
  readonly at: string
  readonly alternatives: readonly Sequence[]
  readonly isDistinct?: boolean
}

/** Makes the symbols, sequences and rules of one grammar, equal ones once. */
export class GrammarSymbols {
  readonly #symbols = new Map<string, GrammarSymbol>()
  readonly #sequences = new Map<string, SequenceNode>()
  readonly #rules = new Map<string, Rule>()
  #ids = 0

  literal(text: string): Literal {
    if (text === '') throw new Error('a literal needs a text')
    return this.#symbol(`"${text}`, (id): Literal => ({ kind: 'literal', id, text }))
  }

  characters(set: CharacterSet): Characters {
    return this.#symbol(`[${set.key}`, (id): Characters => ({ kind: 'characters', id, set }))
  }

  call(rule: Rule): Call {
    return this.#symbol(`=${rule.id}`, (id): Call => ({ kind: 'call', id, rule }))
  }

  repetition(of: Characters | Call, min: number, max: number | null): Repetition {
    return this.#symbol(
      `${of.id}{${min},${max}`,
      (id): Repetition => ({ kind: 'repetition', id, of, min, max }),
    )
  }

  sequence(...symbols: readonly GrammarSymbol[]): Sequence {
    return this.followed(symbols, null)
  }

  /** Symbols, and then a sequence. */
  followed(symbols: readonly GrammarSymbol[], tail: Sequence, depth = tail?.depth ?? 0): Sequence {
    return symbols.reduceRight((rest: Sequence, head) => this.#node(head, rest, depth), tail)
  }

  /**
   * An alternative of a rule in the place of the call of the rule. What it consists of stands one call
   * deeper than what follows the call.
   */
  entered(alternative: Sequence, tail: Sequence): Sequence {
    if (tail === null) return alternative
    return this.followed(symbolsOf(alternative), tail, tail.depth + 1)
  }

  /** What stands before the end of a sequence, as if nothing came after it. */
  before(end: SequenceNode, sequence: Sequence): Sequence {
    const nodes: SequenceNode[] = []
    for (let node = sequence; node !== null && node !== end; node = node.tail) nodes.push(node)
    return nodes.reduceRight(
      (rest: Sequence, { head, depth }) => this.#node(head, rest, depth - end.depth - 1),
      null,
    )
  }

  /** A rule with these alternatives, equal ones once. */
  rule({ at, alternatives, isDistinct = false }: RuleParts): Rule {
    const unique = [...new Set(alternatives)]
    const key = `${unique.map((one) => one?.id ?? '').join()}${isDistinct}`
    const known = this.#rules.get(key)
    if (known !== undefined) return known
    const rule = { id: this.#ids++, at, alternatives: unique, isDistinct }
    this.#rules.set(key, rule)
    return rule
  }

  /** A rule whose alternatives come later. */
  openRule(at: string): Rule {
    return { id: this.#ids++, at, alternatives: [], isDistinct: false }
  }

  #symbol<Kind extends GrammarSymbol>(key: string, make: (id: number) => Kind): Kind {
    const known = this.#symbols.get(key)
    // Keys of different kinds begin differently.
    if (known !== undefined) return known as Kind
    const symbol = make(this.#ids++)
    this.#symbols.set(key, symbol)
    return symbol
  }

  #node(head: GrammarSymbol, tail: Sequence, depth: number): SequenceNode {
    const key = `${head.id}.${tail?.id ?? ''}.${depth}`
    const known = this.#sequences.get(key)
    if (known !== undefined) return known
    const node = { id: this.#ids++, head, tail, depth }
    this.#sequences.set(key, node)
    return node
  }
}

/**
 * What sequences have in common at their end, from where a call ended that all of them stand in; null
 * when there is no such place.
 */
export function commonEnd(sequences: Iterable<Sequence>): SequenceNode | null {
  let common: SequenceNode[] | null = null
  for (const sequence of sequences) {
    const ends: SequenceNode[] = []
    for (let node = sequence; node !== null; node = node.tail) {
      if (node.tail !== null && node.tail.depth < node.depth) ends.push(node.tail)
    }
    const known = new Set(ends)
    common = common === null ? ends : common.filter((node) => known.has(node))
  }
  return common?.[0] ?? null
}

/** The symbols of a sequence. */
export function symbolsOf(sequence: Sequence): GrammarSymbol[] {
  const symbols: GrammarSymbol[] = []
  for (let node = sequence; node !== null; node = node.tail) symbols.push(node.head)
  return symbols
}
