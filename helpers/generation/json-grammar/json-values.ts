import { commonPrefix } from './beginnings.js'
import { CharacterSet } from './character-set.js'
import type {
  Call,
  Characters,
  GrammarSymbol,
  GrammarSymbols,
  Rule,
  Sequence,
} from './grammar-symbols.js'

const DIGIT = CharacterSet.of(['0', '9'])
const HEX = CharacterSet.of(['0', '9'], ['a', 'f'], ['A', 'F'])
/** Characters that need no escape in a JSON string. */
const PLAIN = CharacterSet.of('"', '\\', ['\0', '\x1f'], '\x7f').complement()

/** Fifteen digits are exact in a double. */
const INTEGER_TEXT = /^-?(0|[1-9]\d{0,14})$/
const NUMBER_TEXT = /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][-+]?\d{1,2})?$/

/** The rules for JSON values that do not depend on a schema. */
export class JsonValues {
  readonly comma: Call
  readonly colon: Call
  /** Any string; `character` is one character of it, escapes included. */
  readonly string: Call
  readonly character: Call
  readonly number: Call
  /** A number of at least 0. */
  readonly amount: Call
  readonly integer: Call
  /** Integers of at least 0, and of at least 1. */
  readonly natural: Call
  readonly positive: Call
  readonly boolean: Call
  readonly null: Call
  readonly object: Call
  readonly array: Call
  readonly value: Call
  /** Strings with a supported `format`, by its name. */
  readonly formats: ReadonlyMap<unknown, Call>
  readonly #symbols: GrammarSymbols
  readonly #names = new Map<Rule, string>()
  /** Rules that only match strings. */
  readonly #texts = new Set<Rule>()

  constructor(symbols: GrammarSymbols) {
    this.#symbols = symbols
    const text = (literal: string) => symbols.literal(literal)
    const rule = (name: string, ...alternatives: readonly (readonly GrammarSymbol[])[]) =>
      this.#named(name, ...alternatives)
    const optional = (of: Characters | Call) => symbols.repetition(of, 0, 1)
    const space = optional(symbols.characters(CharacterSet.of(' ')))
    this.comma = rule('comma', [text(','), space])
    this.colon = rule('colon', [text(':'), space])

    const digit = symbols.characters(DIGIT)
    const nonZero = symbols.characters(CharacterSet.of(['1', '9']))
    this.positive = rule('positive', [nonZero, symbols.repetition(digit, 0, 14)])
    this.natural = rule('natural', [text('0')], [nonZero, symbols.repetition(digit, 0, 14)])
    this.integer = rule('integer', [text('-'), this.natural], [this.natural])
    const point = rule('point', [text('.'), symbols.repetition(digit, 1, 15)])
    const sign = symbols.characters(CharacterSet.of('-', '+'))
    // Two digits of an exponent never overflow a double.
    const exponent = rule('exponent', [
      symbols.characters(CharacterSet.of('e', 'E')),
      optional(sign),
      symbols.repetition(digit, 1, 2),
    ])
    this.amount = rule('amount', [this.natural, optional(point), optional(exponent)])
    this.number = rule('number', [this.integer, optional(point), optional(exponent)])

    this.character = this.#character()
    this.string = rule('string', [
      text('"'),
      this.#symbols.repetition(this.character, 0, null),
      text('"'),
    ])
    this.boolean = rule('boolean', [text('true')], [text('false')])
    this.null = rule('null', [text('null')])

    const value = symbols.openRule('#')
    this.#names.set(value, 'value')
    this.value = symbols.call(value)
    const member = rule('member', [this.string, this.colon, this.value])
    this.object = rule('object', ...this.#list('{', member, '}'))
    this.array = rule('array', ...this.#list('[', this.value, ']'))
    value.alternatives = [
      ...[this.string, this.number, this.boolean, this.null, this.object, this.array],
    ].map((one) => symbols.sequence(one))
    this.formats = this.#formats()
  }

  /** The name of a rule in the text of the grammar; undefined if it has none. */
  nameOf(rule: Rule): string | undefined {
    return this.#names.get(rule)
  }

  /** Whether everything that `special` matches is also matched by `general`. Both are whole values. */
  covers(general: GrammarSymbol, special: GrammarSymbol): boolean {
    if (general === this.value) return special.kind === 'call' || isAnyNumber(special)
    if (general === this.object || general === this.array) {
      return (
        special.kind === 'call' &&
        this.#beginsWith(special.rule, general === this.object ? '{' : '[')
      )
    }
    if (general === this.string) {
      if (special.kind === 'call') return this.#texts.has(special.rule)
      return special.kind === 'literal' && special.text.startsWith('"')
    }
    if (special.kind === 'literal') {
      if (general === this.number) return NUMBER_TEXT.test(special.text)
      return general === this.integer && INTEGER_TEXT.test(special.text)
    }
    const integers = [this.integer, this.natural, this.positive]
    const isInteger = integers.some((one) => one === special)
    if (general === this.number) return isInteger || special === this.amount
    return general === this.integer && isInteger
  }

  /** A string with a length in the given bounds. */
  text(min: number, max: number | null, at: string): Call {
    if (min === 0 && max === null) return this.string
    const inside = this.#symbols.repetition(this.character, min, max)
    const mark = this.#symbols.literal('"')
    return this.#text([this.#symbols.sequence(mark, inside, mark)], at)
  }

  /** One of the given JSON texts, as a prefix tree. */
  oneOf(values: readonly string[], at: string): GrammarSymbol {
    const alternatives = this.#sharedPrefixes(new Set(values), at)
    const [only] = alternatives
    if (alternatives.length === 1 && only?.tail === null) return only.head
    if (values.every((value) => value.startsWith('"'))) return this.#text(alternatives, at)
    return this.#symbols.call(this.#symbols.rule({ at, alternatives }))
  }

  #sharedPrefixes(texts: ReadonlySet<string>, at: string): Sequence[] {
    const byFirst = new Map<string, Set<string>>()
    for (const text of texts) {
      const [first = ''] = text
      byFirst.set(first, (byFirst.get(first) ?? new Set()).add(text))
    }
    return [...byFirst.values()].map((group) => {
      if (group.has('')) return null
      const prefix = commonPrefix([...group])
      const literal = this.#symbols.literal(prefix)
      if (group.size === 1) return this.#symbols.sequence(literal)
      const rests = new Set([...group].map((text) => text.slice(prefix.length)))
      const alternatives = this.#sharedPrefixes(rests, at)
      return this.#symbols.sequence(
        literal,
        this.#symbols.call(this.#symbols.rule({ at, alternatives })),
      )
    })
  }

  #text(alternatives: readonly Sequence[], at: string): Call {
    const rule = this.#symbols.rule({ at, alternatives })
    this.#texts.add(rule)
    return this.#symbols.call(rule)
  }

  /** A rule for a comma and an item, to be repeated. */
  further(item: Call): Call {
    return this.#symbols.call(
      this.#symbols.rule({
        at: item.rule.at,
        alternatives: [this.#symbols.sequence(this.comma, item)],
      }),
    )
  }

  #beginsWith(rule: Rule, opening: string): boolean {
    return rule.alternatives.every(
      (one) => one?.head.kind === 'literal' && one.head.text === opening,
    )
  }

  #list(open: string, item: Call, close: string): GrammarSymbol[][] {
    const more = this.#symbols.repetition(this.further(item), 0, null)
    const [opening, closing] = [this.#symbols.literal(open), this.#symbols.literal(close)]
    return [
      [opening, closing],
      [opening, item, more, closing],
    ]
  }

  /** Escapes of surrogates are left out: they are only halves of characters. */
  #character(): Call {
    const hex = this.#symbols.characters(HEX)
    const unit = this.#named(
      'unit',
      [
        this.#symbols.characters(
          CharacterSet.of(['0', '9'], ['a', 'c'], ['A', 'C'], 'e', 'f', 'E', 'F'),
        ),
        this.#symbols.repetition(hex, 3, 3),
      ],
      [
        this.#symbols.characters(CharacterSet.of('d', 'D')),
        this.#symbols.characters(CharacterSet.of(['0', '7'])),
        this.#symbols.repetition(hex, 2, 2),
      ],
    )
    const escaped = this.#named(
      'escape',
      [this.#symbols.characters(CharacterSet.of(...'"\\/bfnrt'))],
      [this.#symbols.literal('u'), unit],
    )
    return this.#named(
      'character',
      [this.#symbols.characters(PLAIN)],
      [this.#symbols.literal('\\'), escaped],
    )
  }

  #formats(): ReadonlyMap<unknown, Call> {
    const symbols = this.#symbols
    const text = (literal: string) => symbols.literal(literal)
    const one = (...members: readonly (string | readonly [string, string])[]) =>
      symbols.characters(CharacterSet.of(...members))
    const digits = (count: number) => symbols.repetition(one(['0', '9']), count, count)
    const month = this.#named('month', [text('0'), one(['1', '9'])], [text('1'), one(['0', '2'])])
    const day = this.#named(
      'day',
      [text('0'), one(['1', '9'])],
      [text('1'), one(['0', '9'])],
      [text('2'), one(['0', '8'])],
    )
    const hour = this.#named('hour', [one('0', '1'), one(['0', '9'])], [text('2'), one(['0', '3'])])
    const sixty = [one(['0', '5']), one(['0', '9'])]
    const offset = this.#named('offset', [one('-', '+'), hour, text(':'), ...sixty])
    const fraction = this.#named('fraction', [text('.'), symbols.repetition(one(['0', '9']), 1, 3)])
    const zone = this.#named('zone', [text('Z')], [offset])
    const date = [digits(4), text('-'), month, text('-'), day]
    const time = [
      ...[hour, text(':'), ...sixty, text(':'), ...sixty],
      ...[symbols.repetition(fraction, 0, 1), zone],
    ]
    const hex = (count: number) => symbols.repetition(symbols.characters(HEX), count, count)
    const uuid = [8, 4, 4, 4, 12].flatMap((count) => [text('-'), hex(count)]).slice(1)
    const mark = text('"')
    return new Map<unknown, Call>([
      ['date', this.#named('date', [mark, ...date, mark])],
      ['time', this.#named('time', [mark, ...time, mark])],
      ['date-time', this.#named('date-time', [mark, ...date, text('T'), ...time, mark])],
      ['uuid', this.#named('uuid', [mark, ...uuid, mark])],
    ])
  }

  #named(name: string, ...alternatives: readonly (readonly GrammarSymbol[])[]): Call {
    const sequences = alternatives.map((one): Sequence => this.#symbols.sequence(...one))
    const rule = this.#symbols.rule({ at: '#', alternatives: sequences })
    this.#names.set(rule, name)
    return this.#symbols.call(rule)
  }
}

function isAnyNumber(symbol: GrammarSymbol): boolean {
  return symbol.kind !== 'literal' || !/^-?\d/.test(symbol.text) || NUMBER_TEXT.test(symbol.text)
}
