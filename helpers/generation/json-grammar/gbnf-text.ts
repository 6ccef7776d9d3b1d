import type { CharacterSet } from './character-set.js'
import type { FactoredRule, FactoredSequence, FactoredSymbol } from './factored-rules.js'
import { calledBy } from './stack-count.js'

/** All rules that can be reached from a rule, in breadth-first order. */
export function rulesOf(root: FactoredRule): readonly FactoredRule[] {
  const rules = new Set([root])
  for (const rule of rules) for (const called of calledBy(rule)) rules.add(called)
  return [...rules]
}

/** Writes a grammar in GBNF, the notation of llama.cpp. @param rules all rules, the root first */
export function gbnfText(rules: readonly FactoredRule[]): string {
  const text = new GbnfText(rules)
  return rules.flatMap((rule) => text.lineOf(rule)).join('\n')
}

class GbnfText {
  readonly #names = new Map<FactoredRule, string>()
  /** Rules that are written in the place of their only call. */
  readonly #inlined = new Set<FactoredRule>()

  constructor(rules: readonly FactoredRule[]) {
    const calls = new Map<FactoredRule, number>()
    const repeated = new Set<FactoredRule>()
    for (const rule of rules) {
      for (const called of calledBy(rule)) calls.set(called, (calls.get(called) ?? 0) + 1)
      for (const symbol of rule.choices.flat(2)) {
        if (symbol.kind === 'repetition' && symbol.of.kind === 'call') repeated.add(symbol.of.rule)
      }
    }
    const [root] = rules
    for (const rule of rules) {
      const isPlain = rule.name === undefined && onlySequence(rule) !== null
      // A rule that is called once and can be reached from the root does not call itself.
      if (rule !== root && isPlain && calls.get(rule) === 1 && !repeated.has(rule)) {
        this.#inlined.add(rule)
      } else {
        this.#names.set(rule, rule === root ? 'root' : (rule.name ?? `r${this.#names.size}`))
      }
    }
  }

  /** The line of a rule; empty for an inlined rule. */
  lineOf(rule: FactoredRule): string[] {
    const name = this.#names.get(rule)
    if (name === undefined) return []
    const alternatives = rule.choices.flat().map((sequence) => this.#sequence(sequence))
    return [`${name} ::= ${alternatives.join(' | ')}`]
  }

  #sequence(symbols: FactoredSequence): string {
    const parts: string[] = []
    let literal = ''
    for (const symbol of [...this.#flat(symbols), null]) {
      if (symbol?.kind === 'literal') {
        literal += symbol.text
        continue
      }
      if (literal !== '') parts.push(literalText(literal))
      literal = ''
      if (symbol !== null) parts.push(this.#symbol(symbol))
    }
    return parts.join(' ')
  }

  /** Replaces the calls of inlined rules by their symbols. */
  #flat(symbols: FactoredSequence): FactoredSymbol[] {
    const flat: FactoredSymbol[] = []
    const todo = [...symbols].reverse()
    for (let symbol = todo.pop(); symbol !== undefined; symbol = todo.pop()) {
      const inside =
        symbol.kind === 'call' && this.#inlined.has(symbol.rule) ? onlySequence(symbol.rule) : null
      if (inside === null) flat.push(symbol)
      else todo.push(...[...inside].reverse())
    }
    return flat
  }

  #symbol(symbol: FactoredSymbol): string {
    switch (symbol.kind) {
      case 'literal':
        return literalText(symbol.text)
      case 'characters':
        return charactersText(symbol.set)
      case 'call':
        return this.#names.get(symbol.rule) ?? ''
      case 'repetition':
        return `${this.#symbol(symbol.of)}${timesText(symbol.min, symbol.max)}`
    }
  }
}

function onlySequence({ choices }: FactoredRule): FactoredSequence | null {
  const [choice, ...others] = choices
  const [sequence, ...more] = choice ?? []
  return others.length === 0 && more.length === 0 ? (sequence ?? null) : null
}

function timesText(min: number, max: number | null): string {
  if (max === null) return min === 0 ? '*' : `{${min},}`
  if (min === 0 && max === 1) return '?'
  return min === max ? `{${min}}` : `{${min},${max}}`
}

function literalText(text: string): string {
  const escaped = text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`)
  return `"${escaped}"`
}

function charactersText(set: CharacterSet): string {
  const ranges = set.ranges.map(([first, last]) =>
    first === last ? characterText(first) : `${characterText(first)}-${characterText(last)}`,
  )
  return `[${ranges.join('')}]`
}

function characterText(codePoint: number): string {
  const character = String.fromCodePoint(codePoint)
  if (/[0-9A-Za-z ]/.test(character)) return character
  const hexadecimal = codePoint.toString(16)
  if (codePoint <= 0xff) return `\\x${hexadecimal.padStart(2, '0')}`
  if (codePoint <= 0xffff) return `\\u${hexadecimal.padStart(4, '0')}`
  return `\\U${hexadecimal.padStart(8, '0')}`
}
