import type { Token, TokenLogprob } from '../../../helpers/protocol/generation.js'
import { MAX_TOKEN_ID, MAX_TOP_LOGPROBS } from '../../../helpers/protocol/generation-options.js'
import type { AddressedToken, TokensMessage } from './llama-messages.js'

const MESSAGE_FIELDS: ReadonlySet<string> = new Set(['kind', 'tokens'])
const ADDRESSED_FIELDS: ReadonlySet<string> = new Set(['id', 'token'])
const TOKEN_FIELDS: ReadonlySet<string> = new Set([
  ...['kind', 'text', 'tokenId', 'index', 'logprob', 'topLogprobs'],
])
const LOGPROB_FIELDS: ReadonlySet<string> = new Set(['tokenId', 'text', 'logprob'])

/**
 * Whether a message of the engine's process contains tokens and is valid. Accepts no message that `fromChildSchema`
 * refuses, and takes a fraction of its time: no other message comes as often.
 */
export function isTokensMessage(message: unknown): message is TokensMessage {
  return (
    isRecord(message, MESSAGE_FIELDS) &&
    message.kind === 'tokens' &&
    Array.isArray(message.tokens) &&
    message.tokens.every(isAddressedToken)
  )
}

function isAddressedToken(value: unknown): value is AddressedToken {
  return isRecord(value, ADDRESSED_FIELDS) && isCount(value.id) && isToken(value.token)
}

function isToken(value: unknown): value is Token {
  if (!isRecord(value, TOKEN_FIELDS)) return false
  const { kind, text, tokenId, index, logprob, topLogprobs } = value
  return (
    typeof text === 'string' &&
    isTokenId(tokenId) &&
    isCount(index) &&
    (kind === undefined || kind === 'thought') &&
    (logprob === undefined || isLogprob(logprob)) &&
    (topLogprobs === undefined || isTopLogprobs(topLogprobs))
  )
}

function isTopLogprobs(value: unknown): value is TokenLogprob[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_TOP_LOGPROBS &&
    value.every(
      (one) =>
        isRecord(one, LOGPROB_FIELDS) &&
        isTokenId(one.tokenId) &&
        typeof one.text === 'string' &&
        isLogprob(one.logprob),
    )
  )
}

/** An object without fields that are not known. */
function isRecord(value: unknown, fields: ReadonlySet<string>): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  // Object.keys would create an array for each token.
  for (const field in value) {
    if (!fields.has(field)) return false
  }
  return true
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** Null if the engine does not report it. */
function isTokenId(value: unknown): value is number | null {
  return value === null || (isCount(value) && value <= MAX_TOKEN_ID)
}

function isLogprob(value: unknown): value is number {
  return Number.isFinite(value) && Number(value) <= 0
}
