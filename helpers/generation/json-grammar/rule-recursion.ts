import type { GrammarSymbol, Rule, Sequence } from './grammar-symbols.js'

/** All rules that can be reached from a rule, in breadth-first order. */
export function rulesFrom(root: Rule): Rule[] {
  const rules = new Set([root])
  for (const rule of rules) {
    for (const alternative of rule.alternatives) {
      for (let node = alternative; node !== null; node = node.tail) {
        const called = calledBy(node.head)
        if (called !== null) rules.add(called)
      }
    }
  }
  return [...rules]
}

/** The rules that match at least one finite text. */
export function rulesThatEnd(rules: readonly Rule[]): ReadonlySet<Rule> {
  const ending = new Set<Rule>()
  const ends = (alternative: Sequence) => {
    for (let node = alternative; node !== null; node = node.tail) {
      const { head } = node
      const called = calledBy(head)
      const isNeeded = head.kind !== 'repetition' || head.min > 0
      if (called !== null && isNeeded && !ending.has(called)) return false
    }
    return true
  }
  for (let before = -1; before < ending.size; ) {
    before = ending.size
    for (const rule of rules) if (rule.alternatives.some(ends)) ending.add(rule)
  }
  return ending
}

/** A left-recursive rule: it can call itself before any character is read. Null if there is none. */
export function leftRecursiveRule(rules: readonly Rule[]): Rule | null {
  const done = new Set<Rule>()
  for (const start of rules) {
    if (done.has(start)) continue
    const path = [{ rule: start, next: beginningsOf(start) }]
    const open = new Set([start])
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const called = last.next.pop()
      if (called === undefined) {
        path.pop()
        open.delete(last.rule)
        done.add(last.rule)
      } else if (open.has(called)) return called
      else if (!done.has(called)) {
        path.push({ rule: called, next: beginningsOf(called) })
        open.add(called)
      }
    }
  }
  return null
}

/** The rules that can be called before any character is read. */
function beginningsOf({ alternatives }: Rule): Rule[] {
  const called: Rule[] = []
  for (const alternative of alternatives) {
    for (let node = alternative; node !== null; node = node.tail) {
      const rule = calledBy(node.head)
      if (rule !== null) called.push(rule)
      // Only repetitions match the empty text here.
      if (node.head.kind !== 'repetition' || node.head.min > 0) break
    }
  }
  return called
}

function calledBy(symbol: GrammarSymbol): Rule | null {
  if (symbol.kind === 'call') return symbol.rule
  if (symbol.kind === 'repetition' && symbol.of.kind === 'call') return symbol.of.rule
  return null
}
