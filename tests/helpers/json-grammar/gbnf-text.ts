/** A set of characters of which one must match, or a rule. */
export type GbnfElement = GbnfCharacters | { readonly rule: number }

type Range = readonly [first: number, last: number]

const LAST_CODE_POINT = 0x10ffff

/** Characters that are allowed, or with `isNot` all others. */
export class GbnfCharacters {
  readonly #ranges: readonly Range[]
  readonly #isNot: boolean

  constructor(ranges: readonly Range[], isNot: boolean) {
    this.#ranges = ranges
    this.#isNot = isNot
  }

  has(codePoint: number): boolean {
    return (
      this.#ranges.some(([first, last]) => codePoint >= first && codePoint <= last) !== this.#isNot
    )
  }

  /** One of them. @param choose returns a whole number below its argument */
  example(choose: (below: number) => number): string {
    for (;;) {
      const [first, last] = this.#isNot
        ? ([0x20, 0x17f] as const)
        : (this.#ranges[choose(this.#ranges.length)] ?? [0, 0])
      const codePoint = first + choose(Math.min(last, LAST_CODE_POINT) - first + 1)
      const isHalf = codePoint >= 0xd800 && codePoint <= 0xdfff
      if (!isHalf && this.has(codePoint)) return String.fromCodePoint(codePoint)
    }
  }
}

/** The rules of a grammar; alternatives are stored in sequence, each ended by undefined. */
export class GbnfRules {
  readonly names = new Map<string, number>()
  readonly #alternatives: (readonly (readonly GbnfElement[])[] | undefined)[] = []
  readonly #elements: (GbnfElement | undefined)[][] = []
  readonly #starts: number[][] = []
  readonly #empty = new Set<number>()

  get size(): number {
    return this.#alternatives.length
  }

  /** A rule that is defined elsewhere. */
  named(name: string): number {
    const known = this.names.get(name)
    if (known !== undefined) return known
    const rule = this.reserve()
    this.names.set(name, rule)
    return rule
  }

  /** A rule that is defined later. */
  reserve(): number {
    return this.#alternatives.push(undefined) - 1
  }

  add(alternatives: readonly (readonly GbnfElement[])[]): number {
    return this.#alternatives.push(alternatives) - 1
  }

  define(rule: number, alternatives: readonly (readonly GbnfElement[])[]): void {
    if (this.#alternatives[rule] !== undefined) throw new Error(`rule ${rule} is there twice`)
    this.#alternatives[rule] = alternatives
  }

  /** Call when all rules are defined. */
  complete(): void {
    for (const [name, rule] of this.names) {
      if (this.#alternatives[rule] === undefined) throw new Error(`there is no rule ${name}`)
    }
    for (const alternatives of this.#alternatives) {
      const elements: (GbnfElement | undefined)[] = []
      const starts: number[] = []
      for (const alternative of alternatives ?? []) {
        starts.push(elements.length)
        elements.push(...alternative, undefined)
      }
      this.#elements.push(elements)
      this.#starts.push(starts)
    }
    for (let before = -1; before < this.#empty.size; ) {
      before = this.#empty.size
      for (const [rule, alternatives] of this.#alternatives.entries()) {
        const isEmpty = alternatives?.some((alternative) =>
          alternative.every((element) => 'rule' in element && this.#empty.has(element.rule)),
        )
        if (isEmpty) this.#empty.add(rule)
      }
    }
  }

  alternatives(rule: number): readonly (readonly GbnfElement[])[] {
    return this.#alternatives[rule] ?? []
  }

  /** All alternatives in one list; undefined ends each of them. */
  elements(rule: number): readonly (GbnfElement | undefined)[] {
    return this.#elements[rule] ?? []
  }

  /** Where the alternatives begin in {@link elements}. */
  starts(rule: number): readonly number[] {
    return this.#starts[rule] ?? []
  }

  mayBeEmpty(rule: number): boolean {
    return this.#empty.has(rule)
  }
}

/** Parses a grammar in GBNF. @throws Error when it is not valid */
export function parseGbnf(text: string): GbnfRules {
  const rules = new GbnfRules()
  for (const line of text.split('\n')) new GbnfLine(line, rules).read()
  rules.complete()
  return rules
}

/** The position within one definition. */
class GbnfLine {
  readonly #line: string
  readonly #rules: GbnfRules
  #at = 0

  constructor(line: string, rules: GbnfRules) {
    this.#line = line
    this.#rules = rules
  }

  read(): void {
    if (this.#line === '') return
    const name = this.#take(/[\w-]+/y)
    if (name === null || this.#take(/::=/y) === null) throw this.#wrong()
    this.#rules.define(this.#rules.named(name), this.#alternatives())
    if (this.#at < this.#line.length) throw this.#wrong()
  }

  #alternatives(): GbnfElement[][] {
    const alternatives = [this.#sequence()]
    while (this.#take(/\|/y) !== null) alternatives.push(this.#sequence())
    return alternatives
  }

  #sequence(): GbnfElement[] {
    const sequence: GbnfElement[] = []
    for (;;) {
      const item = this.#item()
      if (item === null) return sequence
      sequence.push(...this.#repeated(item))
    }
  }

  #item(): GbnfElement[] | null {
    if (this.#take(/"/y, false) !== null) return this.#literal()
    if (this.#take(/\[/y, false) !== null) return [this.#characters()]
    if (this.#take(/\(/y) !== null) {
      const rule = this.#rules.add(this.#alternatives())
      if (this.#take(/\)/y) === null) throw this.#wrong()
      return [{ rule }]
    }
    const name = this.#take(/[\w-]+/y)
    return name === null ? null : [{ rule: this.#rules.named(name) }]
  }

  #literal(): GbnfElement[] {
    const elements: GbnfElement[] = []
    while (this.#take(/"/y) === null) {
      const codePoint = this.#character()
      elements.push(new GbnfCharacters([[codePoint, codePoint]], false))
    }
    return elements
  }

  #characters(): GbnfCharacters {
    const isNot = this.#take(/\^/y, false) !== null
    const ranges: Range[] = []
    while (this.#take(/\]/y) === null) {
      const first = this.#character()
      const last = this.#take(/-(?!\])/y, false) === null ? first : this.#character()
      ranges.push([first, last])
    }
    return new GbnfCharacters(ranges, isNot)
  }

  #character(): number {
    const escaped = this.#take(/\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[^xuU])/y, false)
    const plain = escaped ?? this.#take(/[^\\]/uy, false)
    if (plain === null) throw this.#wrong()
    if (escaped === null) return plain.codePointAt(0) ?? 0
    if (escaped.length > 2) return Number.parseInt(escaped.slice(2), 16)
    const letter = escaped.slice(1)
    return ({ n: '\n', r: '\r', t: '\t' }[letter] ?? letter).codePointAt(0) ?? 0
  }

  /** Expands a repetition as llama.cpp does: required items in sequence, optional ones as rules. */
  #repeated(item: GbnfElement[]): GbnfElement[] {
    const sign = this.#take(/[*+?]|\{\s*\d+\s*(?:,\s*\d*\s*)?\}/y)
    if (sign === null) return item
    const [, least = '', comma, most = ''] = /^\{\s*(\d+)\s*(?:(,)\s*(\d*)\s*)?\}$/.exec(sign) ?? []
    const min = { '*': 0, '+': 1, '?': 0 }[sign] ?? Number(least)
    const endless = sign === '*' || sign === '+' || (comma !== undefined && most === '')
    const max = sign === '?' ? 1 : comma === undefined ? min : Number(most)
    const required = Array.from({ length: min }, () => item).flat()
    if (endless) {
      const rule = this.#rules.reserve()
      this.#rules.define(rule, [[...item, { rule }], []])
      return [...required, { rule }]
    }
    let last: GbnfElement[] = []
    for (let count = 0; count < max - min; count++) {
      last = [{ rule: this.#rules.add([[...item, ...last], []]) }]
    }
    return [...required, ...last]
  }

  #take(pattern: RegExp, thenSpace = true): string | null {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#line) ?? []
    if (found === undefined) return null
    this.#at += found.length
    if (thenSpace) while (this.#line[this.#at] === ' ') this.#at += 1
    return found
  }

  #wrong(): Error {
    return new Error(`not understood from here: ${this.#line.slice(this.#at, this.#at + 40)}`)
  }
}
