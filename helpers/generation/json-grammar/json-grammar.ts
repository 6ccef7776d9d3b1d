import type { FactoredRule } from './factored-rules.js'
import { gbnfText, rulesOf } from './gbnf-text.js'
import { LeftFactoring } from './left-factoring.js'
import { leftRecursiveRule, rulesFrom, rulesThatEnd } from './rule-recursion.js'
import { invalid } from './schema-checks.js'
import type { Schema } from './schema-keywords.js'
import { SchemaRules } from './schema-rules.js'
import { ruleBeyond } from './stack-count.js'

/**
 * Parse stacks that llama.cpp may have to keep at once. It tests each token of the vocabulary against all
 * of them: 256 stacks take 0.2 s per token with a vocabulary of 150,000.
 */
export const MAX_PARSE_STACKS = 256

/** The text of a grammar. llama.cpp parses it for each answer, into about six times as much memory. */
const MAX_GRAMMAR_BYTES = 131_072

/** The sum of all stated lengths and counts: llama.cpp creates a rule for each repetition. */
const MAX_REPEATED = 10_000

/**
 * Translates a JSON schema into a grammar for its valid values, in llama.cpp's GBNF.
 *
 * Everything that the grammar allows is valid. Not everything that is valid is allowed: required
 * properties come first, properties that the schema does not name are left out, numbers have at most
 * 15 digits, and there is at most one space after a comma or colon. `oneOf` is treated as `anyOf`.
 *
 * Keywords that a grammar cannot enforce (`pattern`, `not`, `multipleOf`, …) are refused, not ignored;
 * a `format` other than date, time, date-time and uuid is an annotation, as in JSON Schema.
 * References can be `#`, `#/$defs/NAME` and `#/definitions/NAME`, and can be recursive.
 *
 * Alternatives with a common start are rewritten, see {@link LeftFactoring}. The schema is refused if
 * a text could still need more than {@link MAX_PARSE_STACKS} parse stacks, for example because of an
 * ambiguity inside a recursion: llama.cpp might never finish a token.
 *
 * @param schema JSON Schema, draft 7 or 2020-12
 * @throws StarlingError GRAMMAR_INVALID, with the place in the schema
 */
export function jsonGrammar(schema: Schema): string {
  const schemaRules = new SchemaRules(schema)
  const root = schemaRules.root()
  const rules = rulesFrom(root)
  const leftRecursive = leftRecursiveRule(rules)
  if (leftRecursive !== null) {
    throw invalid(leftRecursive.at, 'it refers to itself without anything in between')
  }
  if (!rulesThatEnd(rules).has(root)) throw invalid('#', 'its recursion never ends')
  const factoring = new LeftFactoring(schemaRules.symbols, schemaRules.values)
  const factored = rulesOf(factoring.factored(root))
  const beyond = ruleBeyond(MAX_PARSE_STACKS, factored)
  if (beyond !== null) {
    throw invalid(
      beyond.at,
      `its alternatives are too ambiguous: more than ${MAX_PARSE_STACKS} of them could match the ` +
        'same text. Let each alternative start with a required property that only it has',
    )
  }
  if (repeated(factored) > MAX_REPEATED) {
    throw invalid('#', `its length and count limits add up to more than ${MAX_REPEATED}`)
  }
  const text = gbnfText(factored)
  if (Buffer.byteLength(text) > MAX_GRAMMAR_BYTES) {
    throw invalid('#', `its grammar is larger than ${MAX_GRAMMAR_BYTES} bytes`)
  }
  return text
}

function repeated(rules: readonly FactoredRule[]): number {
  return rules
    .flatMap(({ choices }) => choices.flat(2))
    .reduce((sum, symbol) => {
      return symbol.kind === 'repetition' ? sum + (symbol.max ?? symbol.min) : sum
    }, 0)
}
