import type { Characters, Literal } from './grammar-symbols.js'

/** A reference to a factored rule. */
export interface FactoredCall {
  readonly kind: 'call'
  readonly rule: FactoredRule
}

/** A set of characters or a rule, repeated `min` to `max` times. */
export interface FactoredRepetition {
  readonly kind: 'repetition'
  readonly of: Characters | FactoredCall
  readonly min: number
  /** Null: no limit. */
  readonly max: number | null
}

export type FactoredSymbol = Literal | Characters | FactoredCall | FactoredRepetition

export type FactoredSequence = readonly FactoredSymbol[]

/** A rule after left factoring. */
export interface FactoredRule {
  /** The place in the schema that the rule was made for, for error messages. */
  readonly at: string
  /** Undefined: a name is generated. */
  readonly name: string | undefined
  /**
   * Alternatives in different inner arrays are separated by their first literal or character. Those in
   * the same inner array stay ambiguous: llama.cpp follows them in parallel.
   */
  choices: readonly (readonly FactoredSequence[])[]
}
