import { StarlingError } from '../errors/starling-error.js'

/** The replacement for a secret value. */
export const REDACTED = '[redacted]'

/** Deeper values are left out: they are logged by mistake. */
const MAX_DEPTH = 8
/** Entries of one array or object; the rest is left out. */
const MAX_ENTRIES = 100

/** Endings of the names of secrets: `password`, `refreshToken`, `root_private_key`. */
const SECRET_NAME =
  /(?:pass[-_]?(?:word|phrase)s?|tokens?|credentials?|secrets?|seed|jwt|authorization|cookie|(?:secret|private|api|signing|root)[-_]?keys?(?:[-_]?pem)?)$/i

/** Whole names of secrets and of the content of conversations: `prompt`, `messages`, `text`. */
const CONTENT_NAME =
  /^(?:keys?|prompts?|system[-_]?prompt|messages|contents?|texts?|answers?|questions?|completions?|deltas?|token[-_]?ids|body|input|output)$/i

/** A session token (RFC 7519) or an API key anywhere in a text. */
const SECRET_VALUE = /\beyJ[\w-]+\.[\w-]+\.[\w-]+|\bstar_\w+/g

/**
 * A copy of a value for the log, without user content and secrets. Removed are the values of fields
 * with the names of secrets or of content, at any depth; bytes; and the messages of errors from peers.
 * Numbers and booleans stay: a count of tokens is not a token.
 */
export function redact(value: unknown): unknown {
  return redactAt(value, 0, [])
}

/** A text without the sessions and API keys in it. */
export function redactText(text: string): string {
  return text.replace(SECRET_VALUE, REDACTED)
}

function redactAt(value: unknown, depth: number, above: readonly object[]): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return describeError(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return `[${value.byteLength} bytes]`
  }
  if (depth >= MAX_DEPTH || above.includes(value)) return '[left out]'
  const here = [...above, value]
  const inner = (entry: unknown) => redactAt(entry, depth + 1, here)
  if ('toJSON' in value && typeof value.toJSON === 'function') return inner(value.toJSON())
  if (value instanceof Map) return inner(Object.fromEntries(value))
  if (value instanceof Set) return inner([...value])
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map(inner)
  const copy: Record<string, unknown> = {}
  for (const [name, entry] of Object.entries(value).slice(0, MAX_ENTRIES)) {
    copy[name] = isHidden(name, entry) ? REDACTED : inner(entry)
  }
  return copy
}

function isHidden(name: string, value: unknown): boolean {
  if (typeof value === 'number' || typeof value === 'boolean') return false
  if (value === null || value === undefined) return false
  return SECRET_NAME.test(name) || CONTENT_NAME.test(name)
}

/** An error as it is logged. `stack` includes those of the causes. */
interface DescribedError {
  readonly type: string
  readonly code?: string
  readonly message?: string
  readonly stack?: string
}

/**
 * The loggable part of an error: all of our own, but only the code of an error that a peer sent,
 * because the peer chose its message.
 */
function describeError(error: Error, depth = 0): DescribedError {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const type = error.name
  if (error instanceof StarlingError && error.isFromPeer) return { type, ...code }
  const { cause } = error
  const below =
    cause instanceof Error && depth < MAX_DEPTH ? describeError(cause, depth + 1) : undefined
  const causedBy =
    below === undefined
      ? ''
      : `\n  caused by ${below.stack ?? [below.type, below.code].filter(Boolean).join(' ')}`
  // The message quotes the text that could not be parsed.
  const isQuoting = error instanceof SyntaxError
  const message = isQuoting ? REDACTED : redactText(error.message)
  const stack = isQuoting ? type : redactText(error.stack ?? `${type}: ${error.message}`)
  return { type, ...code, message, stack: `${stack}${causedBy}` }
}
