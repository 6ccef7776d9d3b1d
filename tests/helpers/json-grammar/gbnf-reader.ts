import { type GbnfElement, type GbnfRules, parseGbnf } from './gbnf-text.js'

/** The state of a parse: the elements still to match, the next one first. */
interface Stack {
  readonly id: number
  /** Null at the end. */
  readonly top: { readonly rule: number; readonly at: number } | null
  readonly below: Stack | null
}

/**
 * Matches texts against a grammar as llama.cpp does: with all possible parses in parallel, each a
 * separate stack. Written from the description of GBNF and from how llama.cpp expands repetitions,
 * independently of the code that makes grammars.
 */
export class GbnfReader {
  readonly #rules: GbnfRules
  readonly #stacks = new Map<string, Stack>()
  readonly #end: Stack = { id: 0, top: null, below: null }

  /** @throws Error when it is not valid GBNF */
  constructor(text: string) {
    this.#rules = parseGbnf(text)
  }

  /** The parses before the first character. */
  begin(): readonly Stack[] {
    const root = this.#rules.names.get('root')
    if (root === undefined) throw new Error('the grammar has no root')
    return this.#settled(this.#entered(root, this.#end))
  }

  /** The parses after one more character; none when the grammar does not allow it. */
  next(readings: readonly Stack[], character: string): readonly Stack[] {
    const codePoint = character.codePointAt(0) ?? 0
    const after: Stack[] = []
    for (const stack of readings) {
      const element = this.#elementOf(stack)
      if (element === null || 'rule' in element || !element.has(codePoint)) continue
      after.push(this.#passed(stack))
    }
    return this.#settled(after)
  }

  /** Whether a text may end here. */
  mayEnd(readings: readonly Stack[]): boolean {
    return readings.includes(this.#end)
  }

  accepts(text: string): boolean {
    let readings = this.begin()
    for (const character of text) readings = this.next(readings, character)
    return this.mayEnd(readings)
  }

  /** The largest number of parallel parses while a text, or a prefix of one, was read. */
  mostReadings(text: string): number {
    let readings = this.begin()
    let most = readings.length
    for (const character of text) {
      readings = this.next(readings, character)
      most = Math.max(most, readings.length)
    }
    return most
  }

  /**
   * A text that the grammar allows, or a prefix of one.
   *
   * @param choose returns a whole number below its argument
   */
  write(
    choose: (below: number) => number,
    mostCharacters: number,
  ): { text: string; isWhole: boolean } {
    let readings = this.begin()
    let text = ''
    while (text.length < mostCharacters) {
      const open = readings.filter((stack) => stack !== this.#end)
      if (open.length === 0 || (this.mayEnd(readings) && choose(2) === 0)) break
      const stack = open[choose(open.length)]
      const element = stack === undefined ? null : this.#elementOf(stack)
      if (element === null || 'rule' in element) throw new Error('a reading stands before a rule')
      const character = element.example(choose)
      readings = this.next(readings, character)
      text += character
    }
    return { text, isWhole: this.mayEnd(readings) }
  }

  /** A text with as many parallel parses as a search one character ahead finds. */
  worstText(mostCharacters: number): string {
    let readings = this.begin()
    let text = ''
    while (text.length < mostCharacters) {
      let worst: { readonly character: string; readonly after: readonly Stack[] } | null = null
      for (const stack of readings) {
        const element = this.#elementOf(stack)
        if (element === null || 'rule' in element) continue
        const character = element.example(() => 0)
        const after = this.next(readings, character)
        if (worst === null || after.length > worst.after.length) worst = { character, after }
      }
      if (worst === null) break
      readings = worst.after
      text += worst.character
    }
    return text
  }

  /** The number of steps of llama.cpp's search for left recursion, which does not memoize. */
  leftSteps(most: number): number {
    let steps = 0
    const visit = (rule: number) => {
      steps += 1
      if (steps > most) return
      for (const alternative of this.#rules.alternatives(rule)) {
        for (const element of alternative) {
          if (!('rule' in element)) break
          visit(element.rule)
          if (!this.#rules.mayBeEmpty(element.rule)) break
        }
      }
    }
    for (let rule = 0; rule < this.#rules.size && steps <= most; rule++) visit(rule)
    return steps
  }

  #elementOf({ top }: Stack): GbnfElement | null {
    return top === null ? null : (this.#rules.elements(top.rule)[top.at] ?? null)
  }

  /** Every way into a rule. */
  #entered(rule: number, below: Stack): Stack[] {
    return this.#rules.starts(rule).map((at) => this.#at(rule, at, below))
  }

  /** The stack without the element on its top. */
  #passed({ top, below }: Stack): Stack {
    if (top === null || below === null) throw new Error('there is nothing to pass')
    return this.#at(top.rule, top.at + 1, below)
  }

  #at(rule: number, at: number, below: Stack): Stack {
    // As in llama.cpp, a finished rule leaves nothing on the stack.
    if (this.#rules.elements(rule)[at] === undefined) return below
    const key = `${rule}.${at}.${below.id}`
    const known = this.#stacks.get(key)
    if (known !== undefined) return known
    const stack = { id: this.#stacks.size + 1, top: { rule, at }, below }
    this.#stacks.set(key, stack)
    return stack
  }

  /** The distinct parses whose next element is a character, or that are at the end. */
  #settled(stacks: readonly Stack[]): readonly Stack[] {
    const seen = new Set<Stack>()
    const settled: Stack[] = []
    const todo = [...stacks]
    for (let stack = todo.pop(); stack !== undefined; stack = todo.pop()) {
      if (seen.has(stack)) continue
      seen.add(stack)
      const element = this.#elementOf(stack)
      if (element === null || !('rule' in element)) settled.push(stack)
      else todo.push(...this.#entered(element.rule, this.#passed(stack)))
    }
    return settled
  }
}
