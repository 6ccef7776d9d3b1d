/** Rules that every grammar for JSON can refer to by name, in GBNF. */
export const JSON_RULES = {
  // One character each: escapes of surrogates, which are halves of characters, are left out.
  char: String.raw`[^"\\\x00-\x1F\x7F] | "\\" ( ["\\/bfnrt] | "u" unit )`,
  unit: '[0-9a-cA-Ce-fE-F] hex{3} | [dD] [0-7] hex{2}',
  hex: '[0-9a-fA-F]',
  string: String.raw`"\"" char* "\""`,
  // Fifteen digits fit into a double exactly, and two of an exponent never overflow it.
  digits: '"0" | [1-9] [0-9]{0,14}',
  integer: '"-"? digits',
  fraction: '( "." [0-9]{1,15} )? ( [eE] [-+]? [0-9]{1,2} )?',
  number: 'integer fraction',
  boolean: '"true" | "false"',
  null: '"null"',
  comma: '"," [ ]?',
  colon: '":" [ ]?',
  object: '"{" ( member ( comma member )* )? "}"',
  member: 'string colon value',
  array: '"[" ( value ( comma value )* )? "]"',
  value: 'string | number | boolean | null | object | array',
  date: '[0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | "1" [0-9] | "2" [0-8] )',
  time: '( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] ":" [0-5] [0-9] ( "." [0-9]{1,3} )? ( "Z" | offset )',
  offset: '[-+] ( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9]',
  uuid: 'hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}',
} as const

export type JsonRule = keyof typeof JSON_RULES

/** What strings of a known format look like between their quotation marks. */
export const STRING_FORMATS: ReadonlyMap<unknown, string> = new Map([
  ['date', 'date'],
  ['time', 'time'],
  ['date-time', 'date "T" time'],
  ['uuid', 'uuid'],
])

/** A text as GBNF writes it. */
export function literal(text: string): string {
  const escaped = text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`)
  return `"${escaped}"`
}
