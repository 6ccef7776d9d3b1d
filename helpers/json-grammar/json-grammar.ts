import type { FactoredRule } from './factored-rules.js'
import { gbnfText, rulesOf } from './gbnf-text.js'
import { LeftFactoring } from './left-factoring.js'
import { ruleBeyond } from './parallel-readings.js'
import { leftRecursiveRule, rulesFrom, rulesThatEnd } from './rule-recursion.js'
import { invalid } from './schema-checks.js'
import type { Schema } from './schema-keywords.js'
import { SchemaRules } from './schema-rules.js'

/**
 * Places of the grammar that one text can be at, at once: llama.cpp looks at all of them for each token
 * of its vocabulary. 256 take 0.2 s with 150,000 tokens.
 */
export const MAX_READINGS = 256

/** Of a grammar's text. llama.cpp reads it anew for each answer, and keeps some six times as much. */
const MAX_GRAMMAR_BYTES = 131_072

/** Repetitions of a stated number, all together: llama.cpp makes a rule of each. */
const MAX_REPEATED = 10_000

/**
 * The grammar, in llama.cpp's GBNF, of JSON values that are valid to a schema.
 *
 * What it allows is always valid. It does not allow everything that is: the properties that have to be
 * there come first, none comes that the schema does not name, numbers have at most 15 digits, and
 * there is at most one space after a comma or colon. Of `oneOf`, too, any that fits is taken.
 *
 * What a grammar cannot hold an answer to (`pattern`, `not`, `multipleOf`, …) is refused, not ignored;
 * a `format` other than date, time, date-time and uuid is an annotation, as JSON Schema has it.
 * References are to `#`, `#/$defs/NAME` and `#/definitions/NAME`, also recursive ones.
 *
 * Alternatives that begin alike are rewritten. Where one text could still be read in more than
 * {@link MAX_READINGS} ways at once, as when they begin with each other again and again, the schema is
 * refused: llama.cpp would not come to an end with it.
 *
 * @param schema JSON Schema, draft 7 or 2020-12
 * @throws StarlingError GRAMMAR_INVALID, with the place in the schema
 */
export function jsonGrammar(schema: Schema): string {
  const schemaRules = new SchemaRules(schema)
  const root = schemaRules.root()
  const rules = rulesFrom(root)
  const leftRecursive = leftRecursiveRule(rules)
  if (leftRecursive !== null) throw invalid(leftRecursive.at, 'it consists of itself')
  if (!rulesThatEnd(rules).has(root)) throw invalid('#', 'its recursion never ends')
  const factoring = new LeftFactoring(schemaRules.symbols, schemaRules.values)
  const factored = rulesOf(factoring.factored(root))
  const beyond = ruleBeyond(MAX_READINGS, factored)
  if (beyond !== null) {
    throw invalid(
      beyond.at,
      `its alternatives begin alike: a text could be read in more than ${MAX_READINGS} ways at once`,
    )
  }
  if (repeated(factored) > MAX_REPEATED) {
    throw invalid('#', `its bounds on lengths and counts are over ${MAX_REPEATED} together`)
  }
  const text = gbnfText(factored)
  if (Buffer.byteLength(text) > MAX_GRAMMAR_BYTES) {
    throw invalid('#', `its grammar would have more than ${MAX_GRAMMAR_BYTES} bytes`)
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
