import type { FactoredRule, FactoredSequence, FactoredSymbol } from './factored-rules.js'

/** What is known of a part of a grammar. Found step by step, because rules call each other in circles. */
interface Places {
  /** At which its texts can begin. */
  readonly beginnings: number
  /** At which a text can go on, when it could also end. */
  readonly ends: number
  /** At which one text can be at once, at most. */
  readonly most: number
  readonly mayBeEmpty: boolean
}

type PlacesOf = (rule: FactoredRule) => Places

const NOTHING: Places = { beginnings: 0, ends: 0, most: 0, mayBeEmpty: false }
const CHARACTER: Places = { beginnings: 1, ends: 0, most: 1, mayBeEmpty: false }
const EMPTY: Places = { ...NOTHING, mayBeEmpty: true }

/**
 * Counts at how many places of a grammar one text can be at once, an upper bound: llama.cpp follows all
 * of them with each character.
 *
 * @returns the rule that makes them more than `limit`; null when there are no more
 */
export function ruleBeyond(limit: number, rules: readonly FactoredRule[]): FactoredRule | null {
  const known = new Map<FactoredRule, Places>()
  const placesOf = (rule: FactoredRule) => known.get(rule) ?? NOTHING
  const callers = callersOf(rules)
  // Those that are called come behind those that call them, as a rule. What is added comes last.
  const todo = new Set([...rules].reverse())
  for (const rule of todo) {
    todo.delete(rule)
    const before = placesOf(rule)
    const places = ofRule(rule, placesOf)
    if (isSame(before, places)) continue
    known.set(rule, places)
    if (places.most > limit) return mostUndecided(rules, placesOf) ?? rule
    for (const caller of callers.get(rule) ?? []) todo.add(caller)
  }
  return null
}

function ofRule({ choices }: FactoredRule, placesOf: PlacesOf): Places {
  const sequences = choices.map((choice) => choice.map((one) => ofSequence(one, placesOf)))
  const beginnings = sum(sequences.flat().map((places) => places.beginnings))
  const side = (of: (places: Places) => number) =>
    Math.max(0, ...sequences.map((choice) => sum(choice.map(of))))
  return {
    beginnings,
    ends: side((places) => places.ends),
    // Before the first character all alternatives are open, then those of one choice.
    most: Math.max(
      beginnings,
      side((places) => places.most),
    ),
    mayBeEmpty: sequences.flat().some((places) => places.mayBeEmpty),
  }
}

function ofSequence(symbols: FactoredSequence, placesOf: PlacesOf): Places {
  let before = EMPTY
  for (const symbol of symbols) {
    const next = ofSymbol(symbol, placesOf)
    // What may be empty ends when it is entered, or later, when it has been read.
    const ends = Math.max(next.ends, next.mayBeEmpty ? before.ends + next.beginnings : 0)
    before = {
      beginnings: before.beginnings + (before.mayBeEmpty ? next.beginnings : 0),
      ends,
      most: Math.max(before.most, next.most, before.ends + next.beginnings, ends),
      mayBeEmpty: before.mayBeEmpty && next.mayBeEmpty,
    }
  }
  return before
}

function ofSymbol(symbol: FactoredSymbol, placesOf: PlacesOf): Places {
  if (symbol.kind === 'call') return placesOf(symbol.rule)
  if (symbol.kind !== 'repetition') return CHARACTER
  const once = symbol.of.kind === 'call' ? placesOf(symbol.of.rule) : CHARACTER
  const ends = once.ends + (symbol.max === symbol.min ? 0 : once.beginnings)
  return {
    beginnings: once.beginnings,
    ends,
    most: Math.max(once.most, once.ends + once.beginnings),
    mayBeEmpty: symbol.min === 0,
  }
}

/** Of the rules that leave something undecided the one with the most places. */
function mostUndecided(rules: readonly FactoredRule[], placesOf: PlacesOf): FactoredRule | null {
  let found: FactoredRule | null = null
  for (const rule of rules) {
    if (rule.choices.every((choice) => choice.length === 1)) continue
    if (found === null || placesOf(rule).most > placesOf(found).most) found = rule
  }
  return found
}

function callersOf(rules: readonly FactoredRule[]): Map<FactoredRule, Set<FactoredRule>> {
  const callers = new Map<FactoredRule, Set<FactoredRule>>()
  for (const rule of rules) {
    for (const called of calledBy(rule)) {
      callers.set(called, (callers.get(called) ?? new Set()).add(rule))
    }
  }
  return callers
}

/** The rules that a rule calls. */
export function calledBy({ choices }: FactoredRule): FactoredRule[] {
  return choices.flat(2).flatMap((symbol) => {
    const of = symbol.kind === 'repetition' ? symbol.of : symbol
    return of.kind === 'call' ? [of.rule] : []
  })
}

function isSame(one: Places, other: Places): boolean {
  return (
    one.beginnings === other.beginnings &&
    one.ends === other.ends &&
    one.most === other.most &&
    one.mayBeEmpty === other.mayBeEmpty
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
