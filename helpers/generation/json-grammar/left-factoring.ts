import { Beginnings } from './beginnings.js'
import type { CharacterSet } from './character-set.js'
import type {
  FactoredCall,
  FactoredRule,
  FactoredSequence,
  FactoredSymbol,
} from './factored-rules.js'
import {
  commonEnd,
  type GrammarSymbol,
  type GrammarSymbols,
  type Rule,
  type Sequence,
  type SequenceNode,
  symbolsOf,
} from './grammar-symbols.js'
import type { JsonValues } from './json-values.js'
import { type Group, groupsOf, overlappingGroups, tailsKey } from './overlapping-groups.js'

/** Nesting depth up to which calls are replaced by the contents of their rules. */
const MAX_COMPARED_DEPTH = 8

/** Larger sets of alternatives with a common start are left ambiguous. */
const MAX_COMPARED = 256

/** Repetitions with a higher limit are not unrolled. */
const MAX_UNROLLED = 64

/** Longer literals are not split into characters. */
const MAX_COMPARED_CHARACTERS = 1000

/** Alternatives that are processed for one grammar; the remaining rules are left ambiguous. */
const MAX_COMPARISONS = 5000

/** What a factored rule inherits from the original rule. */
type RuleOrigin = Pick<Rule, 'at'> & { readonly name?: string; readonly isDistinct?: boolean }

/**
 * Makes a grammar deterministic where possible, without changing its language. llama.cpp keeps a parse
 * stack for each alternative that matches the text so far, so alternatives with a common start cost
 * time, and inside a recursion exponentially much.
 *
 * The method is left factoring: a common prefix of alternatives is moved in front of them. If
 * alternatives can start with the same character but have no common first symbol, calls are replaced
 * by the contents of the called rules, repetitions are unrolled and literals are split until they
 * have. The sets of remaining alternatives are the states of the result, as in a subset construction.
 */
export class LeftFactoring {
  readonly #symbols: GrammarSymbols
  readonly #values: JsonValues
  readonly #beginnings = new Beginnings()
  readonly #rules = new Map<string, FactoredRule>()
  readonly #todo: (() => void)[] = []
  #processed = 0

  constructor(symbols: GrammarSymbols, values: JsonValues) {
    this.#symbols = symbols
    this.#values = values
  }

  /** The factored form of a rule and of all rules that can be reached from it. */
  factored(rule: Rule): FactoredRule {
    const { rule: factored } = this.#call(rule)
    for (let next = this.#todo.pop(); next !== undefined; next = this.#todo.pop()) next()
    return factored
  }

  #call(rule: Rule): FactoredCall {
    const { at, alternatives, isDistinct } = rule
    const name = this.#values.nameOf(rule)
    const origin = { at, isDistinct, ...(name !== undefined && { name }) }
    return { kind: 'call', rule: this.#ruleOf(alternatives, origin) }
  }

  #ruleOf(sequences: readonly Sequence[], { at, name, isDistinct }: RuleOrigin): FactoredRule {
    const key = sequences
      .map((sequence) => sequence?.id ?? -1)
      .sort((one, other) => one - other)
      .join()
    const known = this.#rules.get(key)
    if (known !== undefined) return known
    const rule: FactoredRule = { at, name, choices: [] }
    this.#rules.set(key, rule)
    this.#todo.push(() => {
      const all = new Set(sequences)
      const choices = this.#choices(all, at, isDistinct)
      rule.choices = [
        ...choices.map((choice) => choice.map((group) => this.#sequenceOf(group, at))),
        ...(all.has(null) ? [[[]]] : []),
      ]
    })
    return rule
  }

  /** @param sequences modified in place */
  #choices(
    sequences: Set<Sequence>,
    at: string,
    isDistinct = false,
  ): readonly (readonly Group[])[] {
    if (isDistinct) return groupsOf(sequences).map((group) => [group])
    if (this.#processed <= MAX_COMPARISONS) return this.#factor(sequences, at)
    return [[...sequences].flatMap((sequence) => groupsOf([sequence]))]
  }

  #sequenceOf({ head, tails }: Group, at: string): FactoredSequence {
    return [this.#symbol(head), ...this.#oneOf(tails, at)]
  }

  #oneOf(sequences: ReadonlySet<Sequence>, at: string): FactoredSequence {
    const [only = null] = sequences
    if (sequences.size === 1) return symbolsOf(only).map((symbol) => this.#symbol(symbol))
    const end = commonEnd(sequences)
    if (end === null) return [{ kind: 'call', rule: this.#ruleOf([...sequences], { at }) }]
    // All are inside the same call: a rule for the rest of the call can be shared by all its callers.
    const inside = new Set([...sequences].map((one) => this.#symbols.before(end, one)))
    return [...this.#oneOf(inside, at), ...symbolsOf(end).map((symbol) => this.#symbol(symbol))]
  }

  #symbol(symbol: GrammarSymbol): FactoredSymbol {
    if (symbol.kind === 'call') return this.#call(symbol.rule)
    if (symbol.kind !== 'repetition') return symbol
    const { kind, of, min, max } = symbol
    return { kind, of: of.kind === 'call' ? this.#call(of.rule) : of, min, max }
  }

  /**
   * Factors alternatives.
   *
   * @param sequences modified in place
   * @returns groups by first symbol; groups that could not be separated are in the same inner array
   */
  #factor(sequences: Set<Sequence>, at: string): readonly (readonly Group[])[] {
    const undecided = new Set<SequenceNode>()
    for (;;) {
      this.#processed += sequences.size
      const choices = overlappingGroups(groupsOf(sequences), this.#beginnings)
      if (this.#processed > MAX_COMPARISONS) return choices
      let isChanged = false
      for (const groups of choices) {
        const nodes = groups.flatMap((group) => group.nodes)
        if (groups.length === 1 || nodes.some((node) => undecided.has(node))) continue
        const resolved = this.#resolved(groups, at)
        if (resolved === null) {
          for (const node of nodes) undecided.add(node)
          continue
        }
        isChanged = true
        for (const node of nodes) sequences.delete(node)
        for (const sequence of resolved) sequences.add(sequence)
      }
      if (!isChanged) return choices
    }
  }

  /** Equivalent sequences that are closer to being separated; null if they stay ambiguous. */
  #resolved(groups: readonly Group[], at: string): readonly Sequence[] | null {
    const nodes = groups.flatMap((group) => group.nodes)
    const [first] = groups
    const haveEqualTails = groups.every((group) => tailsKey(group) === tailsKey(groups[0]))
    if (haveEqualTails) {
      const needed = groups.filter((group) => !groups.some((other) => this.#covers(other, group)))
      if (needed.length < groups.length) return needed.flatMap((group) => group.nodes)
    }
    // First unions only: after that, one whole value may turn out to cover another.
    const unions = new Set(nodes.filter((node) => isUnion(node.head)))
    if (unions.size > 0) {
      return nodes.flatMap((node) => (unions.has(node) ? this.#open(node) : [node]))
    }
    if (first !== undefined && haveEqualTails && !first.tails.has(null)) {
      return this.#joined(groups, first, at)
    }
    if (nodes.length > MAX_COMPARED || !nodes.every(mayBeOpened)) return null
    if (groups.every(({ head }) => head.kind === 'literal' || head.kind === 'characters')) {
      return this.#split(nodes)
    }
    return nodes.flatMap((node) => this.#open(node))
  }

  #covers(general: Group, special: Group): boolean {
    return general !== special && this.#values.covers(general.head, special.head)
  }

  /** Combines the first symbols of groups with equal tails into one rule. */
  #joined(groups: readonly Group[], { tails, nodes }: Group, at: string): readonly Sequence[] {
    const depth = Math.min(...nodes.map((node) => node.depth))
    const alternatives = groups.map(({ head }) => this.#symbols.sequence(head))
    const call = this.#symbols.call(this.#symbols.rule({ at, alternatives }))
    return [...tails].map((tail) => this.#symbols.followed([call], tail, depth))
  }

  /** Replaces the first symbol by its contents. */
  #open(node: SequenceNode): readonly Sequence[] {
    const { head, tail, depth } = node
    if (head.kind === 'call') {
      return head.rule.alternatives.map((alternative) => this.#symbols.entered(alternative, tail))
    }
    if (head.kind !== 'repetition') return [node]
    const { of, min, max } = head
    const most = max === null ? null : max - 1
    const again = most === 0 ? [] : [this.#symbols.repetition(of, Math.max(min - 1, 0), most)]
    const once = this.#symbols.followed([of, ...again], tail, depth)
    return min === 0 ? [once, tail] : [once]
  }

  /** Splits sequences by their first character, so that the first symbols are equal or disjoint. */
  #split(nodes: readonly SequenceNode[]): readonly Sequence[] {
    const sets = nodes.map(({ head }) => this.#beginnings.firstOf(head))
    return distinctParts(sets).flatMap((part) =>
      nodes
        .filter((_, index) => sets[index]?.overlaps(part))
        .map((node) => this.#beginningWith(part, node)),
    )
  }

  #beginningWith(first: CharacterSet, { head, tail, depth }: SequenceNode): Sequence {
    const [range] = first.ranges
    const isOne = first.ranges.length === 1 && range !== undefined && range[0] === range[1]
    const character = isOne ? String.fromCodePoint(range[0]) : null
    const symbol =
      character === null ? this.#symbols.characters(first) : this.#symbols.literal(character)
    const rest = head.kind === 'literal' ? head.text.slice(character?.length ?? 0) : ''
    const symbols = rest === '' ? [symbol] : [symbol, this.#symbols.literal(rest)]
    return this.#symbols.followed(symbols, tail, depth)
  }
}

/** Whether a symbol is a call of a rule whose alternatives are single symbols. */
function isUnion(symbol: GrammarSymbol): boolean {
  return (
    symbol.kind === 'call' &&
    symbol.rule.alternatives.every((one) => one?.tail === null && one.head.kind !== 'repetition')
  )
}

function mayBeOpened({ head, tail }: SequenceNode): boolean {
  if (head.kind === 'call') return tail === null || tail.depth < MAX_COMPARED_DEPTH
  if (head.kind === 'literal') return head.text.length <= MAX_COMPARED_CHARACTERS
  return head.kind !== 'repetition' || head.max === null || head.max <= MAX_UNROLLED
}

/** The coarsest partition in which each of the sets is a union of parts. */
function distinctParts(sets: readonly CharacterSet[]): readonly CharacterSet[] {
  let parts: CharacterSet[] = []
  for (const set of sets) {
    const rest = parts.reduce((left, part) => left.minus(part), set)
    parts = [...parts.flatMap((part) => [part.intersection(set), part.minus(set)]), rest].filter(
      (part) => !part.isEmpty,
    )
  }
  return parts
}
