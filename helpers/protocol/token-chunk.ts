import encodings from 'compact-encoding'
import { StarlingError } from '../errors/starling-error.js'
import type { ChunkCodec, MessageStart } from './chunk-codec.js'
import type { Token, TokenLogprob } from './generation.js'
import { PROTOCOL_LIMITS } from './limits.js'

/** The most tokens in one message. */
const MAX_MESSAGE_TOKENS = 1024

/** The most of the likeliest tokens that are reported for one position. */
const MAX_TOP_LOGPROBS = 20

/** The largest token id, and the largest position of a token in an answer. */
const MAX_NUMBER = 0x7fff_ffff

/** The most bytes of a number up to `MAX_NUMBER + 1`. */
const NUMBER_BYTES = 5

const FLOAT_BYTES = 8

/** The most bytes of a character in UTF-8, for each of its UTF-16 code units. */
const BYTES_PER_UNIT = 3

/** The parts of a message that are only there if a token has them. */
const HAS_KINDS = 1
const HAS_LOGPROBS = 2
const HAS_TOP_LOGPROBS = 4
const ALL_PARTS = HAS_KINDS | HAS_LOGPROBS | HAS_TOP_LOGPROBS

/** Which tokens a message has. */
export interface TokenPosition extends MessageStart {
  /** The position of the first one in the answer, from 0. The others follow it without a gap. */
  readonly index: number
  /** One for each token; null if the engine does not report it. */
  readonly tokenIds: readonly (number | null)[]
}

/** The state of a reading of compact-encoding. */
interface Cursor {
  buffer: Uint8Array
  start: number
  end: number
}

const { uint, uint8, float64, raw } = encodings

/** Keeps a byte order mark, which is text of the model. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The tokens of an answer, one or more a message, in compact-encoding:
 *
 * - index of the first token, count of tokens, bytes of all ids, ids (0: null, otherwise the id + 1);
 * - the parts that follow the texts, as bits;
 * - the length of each text in UTF-16 code units, bytes of all texts, the texts in UTF-8 without separators;
 * - kinds: a bit for each token, set for a thought;
 * - logprobs: a bit for each token that has one, and their values as 64-bit floats;
 * - top logprobs: a bit for each token that has them, and for each of these their count, and the id, the bytes of the
 *   text, the text and the value of each.
 *
 * The first line is what a relay reads. Lone surrogates in texts become U+FFFD.
 */
export const tokenChunks: ChunkCodec<Token, TokenPosition> = {
  kind: 'binary',
  gathering: { mostChunks: MAX_MESSAGE_TOKENS, sizeBytes: sizeOf },
  encode: encodeTokens,
  decode: (message) => reading(message, decodeTokens),
  inspect: (message) => reading(message, decodePosition),
}

/** Checks that the tokens of an answer follow each other without a gap and none comes twice. */
export class TokenOrder {
  #next: number

  /** @param first the position of the first token */
  constructor(first = 0) {
    this.#next = first
  }

  /** @throws StarlingError PROTOCOL_VIOLATION if these are not the next tokens */
  take({ index, count }: { readonly index: number; readonly count: number }): void {
    if (index !== this.#next) {
      throw new StarlingError(
        'PROTOCOL_VIOLATION',
        `Token ${index} of the answer was sent where token ${this.#next} was due`,
      )
    }
    this.#next += count
  }
}

function encodeTokens(tokens: readonly Token[]): Uint8Array {
  const [first] = tokens
  const count = tokens.length
  if (first === undefined || count > MAX_MESSAGE_TOKENS) {
    throw new Error(`A message cannot have ${count} tokens`)
  }
  let text = ''
  let idBytes = 0
  let parts = 0
  let mostBytes = 5 * NUMBER_BYTES + 1 + 3 * Math.ceil(count / 8)
  for (const [offset, token] of tokens.entries()) {
    if (token.index !== first.index + offset) throw new Error('Tokens are not in order')
    text += token.text
    idBytes += uintBytes(idNumber(token.tokenId))
    mostBytes += sizeOf(token)
    if (token.kind !== undefined) parts |= HAS_KINDS
    if (token.logprob !== undefined) parts |= HAS_LOGPROBS
    if (token.topLogprobs !== undefined) parts |= HAS_TOP_LOGPROBS
  }
  const cursor: Cursor = { buffer: Buffer.allocUnsafe(mostBytes), start: 0, end: mostBytes }
  uint.encode(cursor, first.index)
  uint.encode(cursor, count)
  uint.encode(cursor, idBytes)
  for (const { tokenId } of tokens) uint.encode(cursor, idNumber(tokenId))
  uint8.encode(cursor, parts)
  for (const token of tokens) uint.encode(cursor, token.text.length)
  encodeText(cursor, text)
  if (parts & HAS_KINDS) encodeBits(cursor, tokens, ({ kind }) => kind !== undefined)
  if (parts & HAS_LOGPROBS) {
    encodeBits(cursor, tokens, ({ logprob }) => logprob !== undefined)
    for (const { logprob } of tokens) if (logprob !== undefined) float64.encode(cursor, logprob)
  }
  if (parts & HAS_TOP_LOGPROBS) {
    encodeBits(cursor, tokens, ({ topLogprobs }) => topLogprobs !== undefined)
    for (const { topLogprobs } of tokens)
      if (topLogprobs !== undefined) encodeTop(cursor, topLogprobs)
  }
  if (cursor.start > PROTOCOL_LIMITS.streamChunkBytes) {
    throw new StarlingError(
      'PAYLOAD_TOO_LARGE',
      `a chunk has ${cursor.start} bytes; the limit is ${PROTOCOL_LIMITS.streamChunkBytes}`,
    )
  }
  return cursor.buffer.subarray(0, cursor.start)
}

/** An upper bound of what a token adds to a message, in bytes. */
function sizeOf({ text, logprob, topLogprobs = [] }: Token): number {
  let bytes = 2 * NUMBER_BYTES + 1 + BYTES_PER_UNIT * text.length
  if (logprob !== undefined) bytes += FLOAT_BYTES
  for (const one of topLogprobs) {
    bytes += 2 * NUMBER_BYTES + BYTES_PER_UNIT * one.text.length + FLOAT_BYTES
  }
  return bytes + 1
}

function encodeTop(cursor: Cursor, top: readonly TokenLogprob[]): void {
  uint.encode(cursor, top.length)
  for (const { tokenId, text, logprob } of top) {
    uint.encode(cursor, idNumber(tokenId))
    encodeText(cursor, text)
    float64.encode(cursor, logprob)
  }
}

function encodeText(cursor: Cursor, text: string): void {
  const bytes = Buffer.from(text)
  uint.encode(cursor, bytes.byteLength)
  raw.encode(cursor, bytes)
}

function encodeBits(
  cursor: Cursor,
  tokens: readonly Token[],
  isSet: (token: Token) => boolean,
): void {
  for (let from = 0; from < tokens.length; from += 8) {
    let byte = 0
    for (const [bit, token] of tokens.slice(from, from + 8).entries()) {
      if (isSet(token)) byte |= 1 << bit
    }
    uint8.encode(cursor, byte)
  }
}

function idNumber(tokenId: number | null): number {
  return tokenId === null ? 0 : tokenId + 1
}

/** The bytes that a number takes in compact-encoding. */
function uintBytes(value: number): number {
  if (value <= 0xfc) return 1
  return value <= 0xffff ? 3 : NUMBER_BYTES
}

/** @throws StarlingError INVALID_REQUEST, whatever is wrong with the message */
function reading<Read>(message: Uint8Array, read: (cursor: Cursor) => Read): Read {
  const { byteLength } = message
  if (byteLength > PROTOCOL_LIMITS.streamChunkBytes) {
    throw new StarlingError('PAYLOAD_TOO_LARGE', `a chunk of tokens has ${byteLength} bytes`)
  }
  try {
    return read({ buffer: message, start: 0, end: byteLength })
  } catch (cause) {
    throw new StarlingError('INVALID_REQUEST', 'a chunk of tokens is malformed', { cause })
  }
}

function decodePosition(cursor: Cursor): TokenPosition {
  const index = decodeNumber(cursor, MAX_NUMBER)
  const count = decodeNumber(cursor, MAX_MESSAGE_TOKENS)
  if (count === 0) throw new Error('No tokens')
  const ids = part(cursor)
  const tokenIds: (number | null)[] = []
  for (let taken = 0; taken < count; taken += 1) tokenIds.push(decodeId(ids))
  assertRead(ids)
  return { index, count, tokenIds }
}

function decodeTokens(cursor: Cursor): Token[] {
  const { index, count, tokenIds } = decodePosition(cursor)
  const parts = decodeNumber(cursor, ALL_PARTS)
  const lengths: number[] = []
  for (let taken = 0; taken < count; taken += 1) lengths.push(uint.decode(cursor))
  const text = decodeText(cursor)
  let end = 0
  const tokens = tokenIds.map((tokenId, offset): Token => {
    const start = end
    end += lengths[offset] ?? 0
    return { text: text.slice(start, end), tokenId, index: index + offset }
  })
  if (end !== text.length) throw new Error('The texts have another length')
  if (parts & HAS_KINDS) {
    for (const token of flagged(cursor, tokens)) token.kind = 'thought'
  }
  if (parts & HAS_LOGPROBS) {
    for (const token of flagged(cursor, tokens)) token.logprob = decodeLogprob(cursor)
  }
  if (parts & HAS_TOP_LOGPROBS) {
    for (const token of flagged(cursor, tokens)) token.topLogprobs = decodeTop(cursor)
  }
  assertRead(cursor)
  return tokens
}

function decodeTop(cursor: Cursor): TokenLogprob[] {
  const count = decodeNumber(cursor, MAX_TOP_LOGPROBS)
  const top: TokenLogprob[] = []
  for (let taken = 0; taken < count; taken += 1) {
    const tokenId = decodeId(cursor)
    top.push({ tokenId, text: decodeText(cursor), logprob: decodeLogprob(cursor) })
  }
  return top
}

/** The tokens whose bit is set. */
function flagged(cursor: Cursor, tokens: readonly Token[]): readonly Token[] {
  const bytes: number[] = []
  for (let from = 0; from < tokens.length; from += 8) bytes.push(uint8.decode(cursor))
  return tokens.filter((_, offset) => ((bytes[offset >>> 3] ?? 0) >>> (offset & 7)) & 1)
}

function decodeText(cursor: Cursor): string {
  const { buffer, start, end } = part(cursor)
  return decoder.decode(buffer.subarray(start, end))
}

function decodeLogprob(cursor: Cursor): number {
  const logprob = float64.decode(cursor)
  if (!Number.isFinite(logprob) || logprob > 0) throw new Error('No logarithm of a probability')
  return logprob
}

function decodeId(cursor: Cursor): number | null {
  const number = decodeNumber(cursor, MAX_NUMBER + 1)
  return number === 0 ? null : number - 1
}

function decodeNumber(cursor: Cursor, most: number): number {
  const number = uint.decode(cursor)
  if (number > most) throw new Error(`${number} is above ${most}`)
  return number
}

/** The next part of a message, whose length in bytes precedes it. */
function part(cursor: Cursor): Cursor {
  const bytes = uint.decode(cursor)
  const { buffer, start } = cursor
  if (bytes > cursor.end - start) throw new Error('A part is longer than the message')
  cursor.start += bytes
  return { buffer, start, end: cursor.start }
}

function assertRead({ start, end }: Cursor): void {
  if (start !== end) throw new Error('The message goes on')
}
