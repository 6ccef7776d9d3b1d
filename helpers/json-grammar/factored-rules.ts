import type { Characters, Literal } from './grammar-symbols.js'

/** Another rule within a rule. */
export interface FactoredCall {
  readonly kind: 'call'
  readonly rule: FactoredRule
}

/** A set of characters or a rule, several times. */
export interface FactoredRepetition {
  readonly kind: 'repetition'
  readonly of: Characters | FactoredCall
  readonly min: number
  /** Null for as often as one likes. */
  readonly max: number | null
}

export type FactoredSymbol = Literal | Characters | FactoredCall | FactoredRepetition

export type FactoredSequence = readonly FactoredSymbol[]

/** A rule whose alternatives have been told apart as far as they can be. */
export interface FactoredRule {
  /** The place in the schema that it comes from. */
  readonly at: string
  /** Left out: it is given a number. */
  readonly name: string | undefined
  /**
   * Which choice is the right one shows while its first text is read. What is left undecided within
   * one choice are alternatives that may have to be read side by side.
   */
  choices: readonly (readonly FactoredSequence[])[]
}
