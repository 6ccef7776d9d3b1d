import type { FactoredRule, FactoredSequence, FactoredSymbol } from './factored-rules.js'

/** Upper bounds on numbers of parse stacks. Rules are recursive, so the bounds are raised step by step. */
interface StackCounts {
  /** Stacks before the first character. */
  readonly beginnings: number
  /** Stacks that can continue inside when the text could also end. */
  readonly ends: number
  /** Stacks at any point of any text. */
  readonly most: number
  readonly mayBeEmpty: boolean
}

type CountsOf = (rule: FactoredRule) => StackCounts

const NOTHING: StackCounts = { beginnings: 0, ends: 0, most: 0, mayBeEmpty: false }
const CHARACTER: StackCounts = { beginnings: 1, ends: 0, most: 1, mayBeEmpty: false }
const EMPTY: StackCounts = { ...NOTHING, mayBeEmpty: true }

/**
 * Checks how many parse stacks llama.cpp may have to keep at once for a grammar. The result is an upper
 * bound: alternatives that stay ambiguous are assumed to be ambiguous to their end.
 *
 * @returns a rule that causes more than `limit` stacks; null if there is none
 */
export function ruleBeyond(limit: number, rules: readonly FactoredRule[]): FactoredRule | null {
  const known = new Map<FactoredRule, StackCounts>()
  const countsOf = (rule: FactoredRule) => known.get(rule) ?? NOTHING
  const callers = callersOf(rules)
  // Called rules tend to come after their callers. Rules that are added again are visited last.
  const todo = new Set([...rules].reverse())
  for (const rule of todo) {
    todo.delete(rule)
    const before = countsOf(rule)
    const counts = ofRule(rule, countsOf)
    if (isSame(before, counts)) continue
    known.set(rule, counts)
    if (counts.most > limit) return mostAmbiguous(rules, countsOf) ?? rule
    for (const caller of callers.get(rule) ?? []) todo.add(caller)
  }
  return null
}

function ofRule({ choices }: FactoredRule, countsOf: CountsOf): StackCounts {
  const sequences = choices.map((choice) => choice.map((one) => ofSequence(one, countsOf)))
  const beginnings = sum(sequences.flat().map((counts) => counts.beginnings))
  const largest = (of: (counts: StackCounts) => number) =>
    Math.max(0, ...sequences.map((choice) => sum(choice.map(of))))
  return {
    beginnings,
    ends: largest((counts) => counts.ends),
    // All alternatives are open before the first character, and those of one choice after it.
    most: Math.max(
      beginnings,
      largest((counts) => counts.most),
    ),
    mayBeEmpty: sequences.flat().some((counts) => counts.mayBeEmpty),
  }
}

function ofSequence(symbols: FactoredSequence, countsOf: CountsOf): StackCounts {
  let before = EMPTY
  for (const symbol of symbols) {
    const next = ofSymbol(symbol, countsOf)
    // A symbol that can be empty ends either when it starts or after it was read.
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

function ofSymbol(symbol: FactoredSymbol, countsOf: CountsOf): StackCounts {
  if (symbol.kind === 'call') return countsOf(symbol.rule)
  if (symbol.kind !== 'repetition') return CHARACTER
  const once = symbol.of.kind === 'call' ? countsOf(symbol.of.rule) : CHARACTER
  const ends = once.ends + (symbol.max === symbol.min ? 0 : once.beginnings)
  return {
    beginnings: once.beginnings,
    ends,
    most: Math.max(once.most, once.ends + once.beginnings),
    mayBeEmpty: symbol.min === 0,
  }
}

/** The rule with the most stacks among those with ambiguous alternatives. */
function mostAmbiguous(rules: readonly FactoredRule[], countsOf: CountsOf): FactoredRule | null {
  let found: FactoredRule | null = null
  for (const rule of rules) {
    if (rule.choices.every((choice) => choice.length === 1)) continue
    if (found === null || countsOf(rule).most > countsOf(found).most) found = rule
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

/** The rules that a rule calls directly. */
export function calledBy({ choices }: FactoredRule): FactoredRule[] {
  return choices.flat(2).flatMap((symbol) => {
    const of = symbol.kind === 'repetition' ? symbol.of : symbol
    return of.kind === 'call' ? [of.rule] : []
  })
}

function isSame(one: StackCounts, other: StackCounts): boolean {
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
