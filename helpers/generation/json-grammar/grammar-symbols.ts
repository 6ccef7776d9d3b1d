import type { CharacterSet } from './character-set.js'

/** A fixed, non-empty text. */
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

/** A reference to a rule. */
export interface Call {
  readonly kind: 'call'
  readonly id: number
  readonly rule: Rule
}

/** A symbol repeated `min` to `max` times. */
export interface Repetition {
  readonly kind: 'repetition'
  readonly id: number
  readonly of: Characters | Call
  readonly min: number
  /** Null: no limit. */
  readonly max: number | null
}

export type GrammarSymbol = Literal | Characters | Call | Repetition

/** A linked list of symbols; null is its end. Equal sequences are the same object. */
export type Sequence = SequenceNode | null

export interface SequenceNode {
  readonly id: number
  readonly head: GrammarSymbol
  readonly tail: Sequence
  /** The number of calls that were replaced by a rule's contents around this node; see {@link GrammarSymbols.entered}. */
  readonly depth: number
}

/** A list of alternatives. Rules with equal alternatives are the same object. */
export interface Rule {
  readonly id: number
  /** The place in the schema that the rule was made for, for error messages. */
  readonly at: string
  /** Set after the rule was created if the schema is recursive. */
  alternatives: readonly Sequence[]
  /** Whether all alternatives are known to start with different literals. */
  readonly isDistinct: boolean
}

/** The contents of a new rule. */
export interface RuleParts {
  readonly at: string
  readonly alternatives: readonly Sequence[]
  readonly isDistinct?: boolean
}

/** Creates and interns the symbols, sequences and rules of one grammar: equal ones are the same object. */
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

  /** A sequence that starts with `symbols` and continues with `tail`. */
  followed(symbols: readonly GrammarSymbol[], tail: Sequence, depth = tail?.depth ?? 0): Sequence {
    return symbols.reduceRight((rest: Sequence, head) => this.#node(head, rest, depth), tail)
  }

  /**
   * Replaces a call by one alternative of the called rule. The nodes of the alternative are one level
   * deeper than the nodes after the call.
   */
  entered(alternative: Sequence, tail: Sequence): Sequence {
    if (tail === null) return alternative
    return this.followed(symbolsOf(alternative), tail, tail.depth + 1)
  }

  /** The part of a sequence before `end`, as a separate sequence. */
  before(end: SequenceNode, sequence: Sequence): Sequence {
    const nodes: SequenceNode[] = []
    for (let node = sequence; node !== null && node !== end; node = node.tail) nodes.push(node)
    return nodes.reduceRight(
      (rest: Sequence, { head, depth }) => this.#node(head, rest, depth - end.depth - 1),
      null,
    )
  }

  /** A rule with these alternatives; duplicates are dropped. */
  rule({ at, alternatives, isDistinct = false }: RuleParts): Rule {
    const unique = [...new Set(alternatives)]
    const key = `${unique.map((one) => one?.id ?? '').join()}${isDistinct}`
    const known = this.#rules.get(key)
    if (known !== undefined) return known
    const rule = { id: this.#ids++, at, alternatives: unique, isDistinct }
    this.#rules.set(key, rule)
    return rule
  }

  /** A rule whose alternatives are set later. */
  openRule(at: string): Rule {
    return { id: this.#ids++, at, alternatives: [], isDistinct: false }
  }

  #symbol<Kind extends GrammarSymbol>(key: string, make: (id: number) => Kind): Kind {
    const known = this.#symbols.get(key)
    // Keys of different kinds start with different characters.
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
 * The longest common end of some sequences that starts right after a call: all of them are inside that
 * call. Null if there is none.
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

/** The symbols of a sequence as an array. */
export function symbolsOf(sequence: Sequence): GrammarSymbol[] {
  const symbols: GrammarSymbol[] = []
  for (let node = sequence; node !== null; node = node.tail) symbols.push(node.head)
  return symbols
}
