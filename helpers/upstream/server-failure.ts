import type { ErrorCode } from '../errors/error-codes.js'
import { StarlingError } from '../errors/starling-error.js'

/** An error that a model server sent. */
export interface ServerRefusal {
  /** The server's address without credentials, for messages. */
  readonly url: string
  /** The HTTP status; 200 for an error within a stream. */
  readonly status: number
  /** The body, or the part of a stream, with the error. */
  readonly body: string
  /** The header `retry-after`, when there is one. */
  readonly retryAfter?: string | undefined
  /** The wall-clock time, for a `retry-after` with a date. */
  readonly nowMs: number
  /** Whether the request contained a JSON schema, to which an error about schemas then refers. */
  readonly hasSchema?: boolean
  /** The key, which must not appear in a message. */
  readonly secret?: string | null
}

/** The most characters of a server's own text in a message. */
const SHOWN_CHARACTERS = 300
/** A server cannot make its callers wait longer than this. */
const MAX_RETRY_AFTER_MS = 600_000

/** How servers report a prompt that is too long: by a type or code, or only in the text. */
const CONTEXT_KINDS = /context_length_exceeded|exceed_context_size/
const CONTEXT_WORDS =
  /(exceed|longer|larger|greater|too long|maximum)[^.]*\bcontext (length|size|window)|\bcontext (length|size|window)[^.]*(exceed|too long|tokens)/i
const SCHEMA_WORDS = /grammar|schema/i
const UNSUPPORTED_WORDS = /does not support|not supported/i

/**
 * The typed error for an error of a model server. The message contains the server's text only if it is about
 * the request; the text about a failure of the server may contain file names, and is only in the cause.
 */
export function serverFailure(refusal: ServerRefusal): StarlingError {
  const { url, status } = refusal
  const complaint = complaintIn(refusal.body)
  const cause = new Error(`HTTP ${status}: ${displayed(complaint.text, refusal.secret)}`)
  const fail = (code: ErrorCode, message: string, retryAfterMs?: number) =>
    new StarlingError(code, message, {
      cause,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    })
  const words = displayed(complaint.text, refusal.secret)

  if (status >= 300 && status < 400) {
    return fail(
      'ENGINE_UNREACHABLE',
      `The server at ${url} redirects (HTTP ${status}); redirects are not followed`,
    )
  }
  if (status === 401 || status === 402 || status === 403 || status === 407) {
    return fail(
      'CONFIG_INVALID',
      `The server at ${url} refuses the configured key or password (HTTP ${status})`,
    )
  }
  if (status === 429 || status === 503) {
    return fail('OVERLOADED', `The server at ${url} is busy (HTTP ${status})`, waitOf(refusal))
  }
  if (CONTEXT_KINDS.test(complaint.kind) || CONTEXT_WORDS.test(complaint.text)) {
    return fail('CONTEXT_TOO_LONG', `The prompt is too long for the model: ${words}`)
  }
  if (refusal.hasSchema === true && SCHEMA_WORDS.test(complaint.text)) {
    return fail('GRAMMAR_INVALID', `The server cannot use the JSON schema: ${words}`)
  }
  if (status === 404 && complaint.isTyped) {
    return fail('MODEL_NOT_FOUND', `The server at ${url} does not have the model: ${words}`)
  }
  if (status === 404 || status === 405) {
    return fail(
      'ENGINE_UNREACHABLE',
      `The server at ${url} is not of the configured kind (HTTP ${status})`,
    )
  }
  if (status === 501 || (status === 400 && UNSUPPORTED_WORDS.test(complaint.text))) {
    return fail('NOT_SUPPORTED', `The server at ${url} does not support the request: ${words}`)
  }
  if (status === 413)
    return fail('PAYLOAD_TOO_LARGE', `The request is too large for the server at ${url}`)
  if (status >= 400 && status < 500 && status !== 408) {
    return fail('INVALID_REQUEST', `The server refused the request (HTTP ${status}): ${words}`)
  }
  return fail('ENGINE_CRASHED', `The server at ${url} failed (HTTP ${status})`)
}

/** The content of an error. */
interface Complaint {
  readonly text: string
  /** Its type and code, if any. */
  readonly kind: string
  /** Whether it has the form of a model server's error, not of a web page or a proxy. */
  readonly isTyped: boolean
}

/**
 * Ollama says `{"error": "text"}`, where the text may be JSON of the runtime below it; OpenAI and
 * most others `{"error": {message, type, code}}`; vLLM once `{message, type, code}`; FastAPI
 * `{"detail": …}`.
 */
function complaintIn(body: string, depth = 0): Complaint {
  const value = objectIn(body)
  if (value === null) return { text: body, kind: '', isTyped: depth > 0 }
  const { error } = value
  if (typeof error === 'string' && depth === 0) return complaintIn(error, 1)
  const fields = typeof error === 'object' && error !== null ? { ...error } : value
  const { message, detail, type, code } = { ...value, ...fields }
  const text = [message, detail].find((one) => typeof one === 'string') ?? body
  return {
    text: String(text),
    kind: `${type} ${code}`,
    isTyped: error !== undefined || typeof message === 'string',
  }
}

interface ComplaintFields {
  readonly error?: unknown
  readonly message?: unknown
  readonly detail?: unknown
  readonly type?: unknown
  readonly code?: unknown
}

function objectIn(text: string): ComplaintFields | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : null
  } catch {
    // Plain text.
    return null
  }
}

function displayed(text: string, secret: string | null | undefined): string {
  const safe = secret ? text.replaceAll(secret, '[key]') : text
  const line = safe.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line === '' ? 'no reason given' : line.slice(0, SHOWN_CHARACTERS)
}

/** Parses seconds or a date. Undefined if there is no header, or none that can be parsed. */
function waitOf({ retryAfter, nowMs }: ServerRefusal): number | undefined {
  if (retryAfter === undefined) return undefined
  const seconds = Number(retryAfter)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - nowMs
  if (!Number.isFinite(waitMs)) return undefined
  return Math.min(Math.max(0, Math.ceil(waitMs)), MAX_RETRY_AFTER_MS)
}
