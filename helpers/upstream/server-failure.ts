import type { ErrorCode } from '../errors/error-codes.js'
import { StarlingError } from '../errors/starling-error.js'

/** How a model server refused a request, or broke off its answer. */
export interface ServerRefusal {
  /** The server's address without credentials, for messages. */
  readonly url: string
  /** The HTTP status; 200 for an error within a stream that began well. */
  readonly status: number
  /** The body, or the part of a stream, that says why. */
  readonly body: string
  /** The header `retry-after`, when there is one. */
  readonly retryAfter?: string | undefined
  /** The wall-clock time, for a `retry-after` that names one. */
  readonly nowMs: number
  /** Whether the request held a JSON schema, which is then what a complaint about one is about. */
  readonly hasSchema?: boolean
  /** What must not appear in a message: the key. */
  readonly secret?: string | null
}

/** Of a server's own words, in a message. */
const SHOWN_CHARACTERS = 300
/** A server cannot make its callers wait longer than this. */
const MAX_RETRY_AFTER_MS = 600_000

/** What servers call a prompt that is too long: in a type or code, or in words alone. */
const CONTEXT_KINDS = /context_length_exceeded|exceed_context_size/
const CONTEXT_WORDS =
  /(exceed|longer|larger|greater|too long|maximum)[^.]*\bcontext (length|size|window)|\bcontext (length|size|window)[^.]*(exceed|too long|tokens)/i
const SCHEMA_WORDS = /grammar|schema/i
const UNSUPPORTED_WORDS = /does not support|not supported/i

/**
 * What a model server's failure means here. The server's own words stand in the message only when
 * they are about the request; what it says of its own failures may name its files, and stays in the
 * cause.
 */
export function serverFailure(refusal: ServerRefusal): StarlingError {
  const { url, status } = refusal
  const complaint = complaintIn(refusal.body)
  const cause = new Error(`HTTP ${status}: ${shown(complaint.text, refusal.secret)}`)
  const fail = (code: ErrorCode, message: string, retryAfterMs?: number) =>
    new StarlingError(code, message, {
      cause,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    })
  const words = shown(complaint.text, refusal.secret)

  if (status >= 300 && status < 400) {
    return fail(
      'ENGINE_UNREACHABLE',
      `The server at ${url} redirects elsewhere (HTTP ${status}), which is not followed`,
    )
  }
  if (status === 401 || status === 402 || status === 403 || status === 407) {
    return fail(
      'CONFIG_INVALID',
      `The server at ${url} refuses the key or password that is configured for it (HTTP ${status})`,
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
    return fail('MODEL_NOT_FOUND', `The server at ${url} does not have it: ${words}`)
  }
  if (status === 404 || status === 405) {
    return fail(
      'ENGINE_UNREACHABLE',
      `The server at ${url} is not one of the kind that is configured (HTTP ${status})`,
    )
  }
  if (status === 501 || (status === 400 && UNSUPPORTED_WORDS.test(complaint.text))) {
    return fail('NOT_SUPPORTED', `The server at ${url} cannot do this: ${words}`)
  }
  if (status === 413) return fail('PAYLOAD_TOO_LARGE', `The server at ${url} takes less at once`)
  if (status >= 400 && status < 500 && status !== 408) {
    return fail('INVALID_REQUEST', `The server refused the request (HTTP ${status}): ${words}`)
  }
  return fail('ENGINE_CRASHED', `The server at ${url} failed (HTTP ${status})`)
}

/** What a server says is wrong. */
interface Complaint {
  readonly text: string
  /** Its type and code, for those that give one. */
  readonly kind: string
  /** Whether it is said the way that model servers say it, not by a page or a proxy. */
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
    // Plain text, which is an answer, too.
    return null
  }
}

function shown(text: string, secret: string | null | undefined): string {
  const safe = secret ? text.replaceAll(secret, '[key]') : text
  const line = safe.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line === '' ? 'it does not say why' : line.slice(0, SHOWN_CHARACTERS)
}

/** Parses seconds or a date. Undefined if there is no header, or none that can be parsed. */
function waitOf({ retryAfter, nowMs }: ServerRefusal): number | undefined {
  if (retryAfter === undefined) return undefined
  const seconds = Number(retryAfter)
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - nowMs
  if (!Number.isFinite(waitMs)) return undefined
  return Math.min(Math.max(0, Math.ceil(waitMs)), MAX_RETRY_AFTER_MS)
}
