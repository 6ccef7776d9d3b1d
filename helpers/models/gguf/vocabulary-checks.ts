import { invalidModel, quoted, unsupportedModel } from './invalid-model.js'
import type { GgufStrings } from './metadata-decoding.js'
import type { MetadataReader } from './metadata-reader.js'

interface Tokenizer {
  /** Whether it needs merges. */
  readonly merges: boolean
  /** The default token for unknown text, for kinds that need one: llama.cpp ends the process without it. */
  readonly unknown?: number
}

/** The kinds of tokenizers whose requirements are known. Others are left to llama.cpp. */
const TOKENIZERS: ReadonlyMap<string, Tokenizer> = new Map([
  ['llama', { merges: false }],
  ['gpt2', { merges: true }],
  ['bert', { merges: false, unknown: 100 }],
  ['t5', { merges: false, unknown: 2 }],
  ['rwkv', { merges: false }],
  ['plamo2', { merges: false }],
  ['gemma4', { merges: true }],
  ['hybriddna', { merges: true }],
  ['whitespace', { merges: true }],
])

/** The kinds that mean that a file has no tokenizer. */
const NO_TOKENIZER: ReadonlySet<string> = new Set(['', 'none', 'no_vocab'])

/** Three times as many as the largest vocabulary has; a loaded model keeps each several times. */
const MAX_VOCABULARY_TOKENS = 1_048_576

/** The text of one token, which is sent as a whole. The longest known is about 500. */
const MAX_TOKEN_BYTES = 16_384

/** A chat template; the longest known is about 30 KB. */
const MAX_TEMPLATE_BYTES = 1_048_576

const UNKNOWN_TOKEN = 'unknown_token_id'

/** The highest type of a token: a single byte. */
const TOKEN_TYPE_BYTE = 6

/** The id that means that a file has no such token. */
const NO_TOKEN = 0xffff_ffff

const SPECIAL_TOKENS = [
  'bos_token_id',
  'eos_token_id',
  'eot_token_id',
  'eom_token_id',
  'seperator_token_id',
  'padding_token_id',
  'cls_token_id',
  'mask_token_id',
  'fim_pre_token_id',
  'fim_suf_token_id',
  'fim_mid_token_id',
  'fim_pad_token_id',
  'fim_rep_token_id',
  'fim_sep_token_id',
  'prefix_token_id',
  'suffix_token_id',
  'middle_token_id',
]

const SWITCHES = ['add_bos_token', 'add_eos_token', 'add_sep_token', 'add_space_prefix']

const SPACE = 0x20

const ESCAPES = new Map([
  ['t', '\t'],
  ['n', '\n'],
  ['r', '\r'],
])

/**
 * Checks a model's tokenizer: that there is one, that no token is in it twice, that lists of properties
 * of the tokens are complete, that special tokens exist, and that there is a token for every byte if
 * llama.cpp would abort the process at the first text with a byte that has none.
 *
 * @returns the number of tokens
 * @throws StarlingError MODEL_INVALID, naming the key; MODEL_UNSUPPORTED for a model without a tokenizer
 */
export function checkVocabulary(keys: MetadataReader): number {
  const kind = keys.requiredText('tokenizer.ggml.model')
  if (NO_TOKENIZER.has(kind)) {
    throw unsupportedModel(
      `has a tokenizer of the kind ${quoted(kind)}: llama.cpp cannot read texts with it`,
    )
  }
  const tokenizer = TOKENIZERS.get(kind) ?? { merges: false }
  keys.text('tokenizer.ggml.pre')
  const template = keys.text('tokenizer.chat_template') ?? ''
  if (Buffer.byteLength(template) > MAX_TEMPLATE_BYTES) {
    throw invalidModel(`has a chat template of more than ${MAX_TEMPLATE_BYTES} bytes`)
  }
  for (const name of SWITCHES) keys.bool(`tokenizer.ggml.${name}`)
  keys.numbers('tokenizer.ggml.suppress_tokens', 'int32')

  const tokens = keys.requiredTexts('tokenizer.ggml.tokens')
  if (tokens.length === 0) throw invalidModel('has no tokens')
  if (tokens.length > MAX_VOCABULARY_TOKENS) {
    throw invalidModel(`has ${tokens.length} tokens; the maximum is ${MAX_VOCABULARY_TOKENS}`)
  }
  const known = distinctTokens(tokens)
  checkEachToken(keys, kind, tokens)
  if (tokenizer.merges) checkMerges(keys)
  if (kind === 'llama')
    checkBytes((byte) => known.has(byteToken(byte)) || known.has(character(byte)))
  if (kind === 'rwkv') {
    // Also prevents llama.cpp from returning to the beginning of a text in an endless loop.
    const unescapedTokens = new Set([...known].map(unescaped))
    checkBytes((byte) => unescapedTokens.has(character(byte)))
  }
  for (const name of SPECIAL_TOKENS) specialToken(keys, name, tokens)
  const unknown = specialToken(keys, UNKNOWN_TOKEN, tokens) ?? tokenizer.unknown
  if (tokenizer.unknown !== undefined && (unknown === undefined || unknown >= tokens.length)) {
    throw invalidModel(`has no "tokenizer.ggml.${UNKNOWN_TOKEN}" for unknown text`)
  }
  keys.whole('tokenizer.ggml.token_type_count', { min: 0, max: NO_TOKEN })
  return tokens.length
}

function specialToken(keys: MetadataReader, name: string, tokens: GgufStrings): number | undefined {
  const key = `tokenizer.ggml.${name}`
  const id = keys.whole(key, { min: 0, max: NO_TOKEN })
  if (id === undefined || id === NO_TOKEN) return undefined
  if (id < tokens.length) return id
  throw invalidModel(`has ${quoted(key)} at ${id}, but ${tokens.length} tokens`)
}

/** The tokens by their bytes, one character each. */
function distinctTokens(tokens: GgufStrings): ReadonlySet<string> {
  const known = new Set<string>()
  for (let id = 0; id < tokens.length; id++) {
    const bytes = tokens.at(id)
    if (bytes.length > MAX_TOKEN_BYTES) {
      throw invalidModel(`is damaged: its token ${id} has more than ${MAX_TOKEN_BYTES} bytes`)
    }
    // llama.cpp gives tokens without text generated names.
    const text = bytes.length === 0 ? `[EMPTY_${id}]` : latin1(bytes)
    if (known.has(text)) throw invalidModel(`is damaged: its token ${id} occurs twice`)
    known.add(text)
  }
  return known
}

function checkEachToken(keys: MetadataReader, kind: string, tokens: GgufStrings): void {
  const scores = keys.numbers('tokenizer.ggml.scores', 'float32', 'int32')
  const types = keys.numbers('tokenizer.ggml.token_type', 'int32')
  for (const [name, list] of [
    ['scores', scores],
    ['token_type', types],
  ] as const) {
    if (list !== undefined && list.length !== tokens.length) {
      throw invalidModel(
        `has ${list.length} items in "tokenizer.ggml.${name}", but ${tokens.length} tokens`,
      )
    }
  }
  for (let id = 0; id < (types?.length ?? 0); id++) {
    const type = types?.at(id) ?? 0
    if (type < 0 || type > TOKEN_TYPE_BYTE) {
      throw invalidModel(`is damaged: its token ${id} has the unknown type ${type}`)
    }
    if (type === TOKEN_TYPE_BYTE && !isByteToken(kind, tokens.at(id))) {
      throw invalidModel(`is damaged: its token ${id} has the type of a byte, but is not one`)
    }
  }
}

/** `<0x41>`; undefined for bert tokenizers, which have none. */
function isByteToken(kind: string, bytes: Uint8Array): boolean {
  return kind !== 'bert' && /^<0x[0-9A-Fa-f]{2}>$/.test(latin1(bytes))
}

/** Each is a pair of texts with a space between. */
function checkMerges(keys: MetadataReader): void {
  const merges = keys.requiredTexts('tokenizer.ggml.merges')
  for (let index = 0; index < merges.length; index++) {
    const bytes = merges.at(index)
    const space = bytes.indexOf(SPACE, 1)
    if (space < 1 || space === bytes.length - 1) {
      throw invalidModel(`is damaged: merge ${index} of its tokenizer is not a pair`)
    }
  }
}

/** Text without its own tokens is written as bytes, so each byte must have a token. */
function checkBytes(isThere: (byte: number) => boolean): void {
  for (let byte = 0; byte < 256; byte++) {
    if (isThere(byte)) continue
    throw invalidModel(
      `has no token for the byte ${byteToken(byte)}, so not every text can be read`,
    )
  }
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}

/** A byte as latin1. */
function character(byte: number): string {
  return String.fromCharCode(byte)
}

/** Unprintable bytes are escaped as in programming languages. */
function unescaped(token: string): string {
  return token.replace(
    /\\(?:x([0-9a-fA-F]{2})|(.))/g,
    (_, hexadecimal?: string, letter?: string) => {
      if (hexadecimal !== undefined) return String.fromCharCode(Number.parseInt(hexadecimal, 16))
      return ESCAPES.get(letter ?? '') ?? letter ?? ''
    },
  )
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
