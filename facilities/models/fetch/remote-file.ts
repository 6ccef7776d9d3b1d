import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { redirectTarget, shownAddress } from '../../../helpers/http/fetch-address.js'
import {
  type FileState,
  parseContentLength,
  parseContentRange,
  parseRetryAfter,
  sha256FromEtag,
} from '../../../helpers/http/http-range.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import { throwIfCancelled } from '../model-progress.js'

/** Redirects that are followed; Hugging Face needs two. */
export const MAX_REDIRECTS = 5

/** A connection on which nothing arrives for this long is closed. */
export const FETCH_STALL_TIMEOUT_MS = 30_000

/** The part of `fetch` that is used. */
export type Fetch = (
  url: string,
  init: {
    readonly headers: Record<string, string>
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<Response>

/** A failure after which the same request may succeed. */
export class FetchFailure extends Error {
  /** How long the server asks to wait. */
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'FetchFailure'
    this.retryAfterMs = options.retryAfterMs
  }
}

/** A model hub. Its own hashes are used, and it may get a token. */
export interface Hub {
  /** Scheme, host and port. */
  readonly origin: string
  /** Sent to this origin only. */
  readonly token?: string | undefined
}

/** A request for a file, or for the rest of it. */
export interface RemoteRequest {
  readonly url: string
  /** The first byte to send. */
  readonly offset: number
  /** The version that the file must still have: see `rangeCondition`. */
  readonly condition: string | undefined
  /** The hash of the file according to this hub is used. */
  readonly hub?: Hub | undefined
  readonly signal: AbortSignal
  readonly fetch: Fetch
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** The answer of a server. */
export interface RemoteAnswer {
  /** The whole file, the requested part, or neither. */
  readonly kind: 'whole' | 'part' | 'neither'
  /** The first byte of the body. */
  readonly start: number
  /** Of the whole file; undefined if the server does not send it. */
  readonly totalBytes: number | undefined
  readonly state: FileState
  /** The hash of the file according to the hub. */
  readonly sha256: string | undefined
  readonly body: ReadableStreamDefaultReader<Uint8Array> | undefined
}

/**
 * Requests a file, or its rest, and follows redirects.
 *
 * @throws FetchFailure if the server cannot be reached or is temporarily unavailable
 * @throws StarlingError MODEL_NOT_FOUND if it refuses or has no such file; MODEL_INVALID if the body is
 *   compressed
 */
export async function openRemoteFile(request: RemoteRequest): Promise<RemoteAnswer> {
  let url = new URL(request.url)
  let isAtHub = url.origin === request.hub?.origin
  let sha256: string | undefined
  for (let redirects = 0; ; redirects++) {
    const response = await send(request, url, isAtHub ? request.hub?.token : undefined)
    const { headers, status } = response
    if (isAtHub) sha256 ??= sha256FromEtag(headers.get('x-linked-etag'))
    if (status < 300 || status > 399) {
      if (isAtHub) sha256 ??= sha256FromEtag(headers.get('etag'))
      return await read(response, request, url, sha256)
    }
    await discard(response)
    if (redirects === MAX_REDIRECTS) {
      throw new FetchFailure(`${shownAddress(url)} redirects more than ${MAX_REDIRECTS} times`)
    }
    const target = redirectTarget(url, headers.get('location') ?? '')
    if (target === undefined) {
      throw refused(url, `redirects (HTTP ${status}) to a URL that is not allowed`)
    }
    // The token is for the hub only, and only the hub's own headers are trusted.
    isAtHub = isAtHub && target.origin === url.origin
    url = target
  }
}

async function send(
  request: RemoteRequest,
  url: URL,
  token: string | undefined,
): Promise<Response> {
  const { offset, condition, signal } = request
  try {
    return await request.fetch(url.href, {
      headers: {
        accept: '*/*',
        // With compression, lengths and ranges would not be those of the file.
        'accept-encoding': 'identity',
        'user-agent': 'starling',
        ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
        ...(offset > 0 && condition !== undefined ? { 'if-range': condition } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      redirect: 'manual',
      signal,
    })
  } catch (cause) {
    throw new FetchFailure(`${shownAddress(url)} cannot be reached: ${reasonOf(cause)}`, { cause })
  }
}

async function read(
  response: Response,
  request: RemoteRequest,
  url: URL,
  sha256: string | undefined,
): Promise<RemoteAnswer> {
  const { headers, status } = response
  const isNeither = status === 416
  if (status !== 200 && status !== 206 && !isNeither) {
    await discard(response)
    throw failureOf(status, url, parseRetryAfter(headers.get('retry-after'), request.nowMs))
  }
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    await discard(response)
    throw new StarlingError(
      'MODEL_INVALID',
      `${shownAddress(url)} was sent compressed, although that was not accepted`,
    )
  }
  const state = { etag: headers.get('etag'), lastModified: headers.get('last-modified') }
  const body = response.body?.getReader()
  const known = { state, sha256, body }
  if (status === 200) {
    const totalBytes = parseContentLength(headers.get('content-length'))
    return { ...known, kind: 'whole', start: 0, totalBytes }
  }
  const range = parseContentRange(headers.get('content-range'))
  if (isNeither || range === undefined) {
    return { ...known, kind: 'neither', start: 0, totalBytes: undefined }
  }
  return { ...known, kind: 'part', start: range.start, totalBytes: range.totalBytes }
}

function failureOf(status: number, url: URL, retryAfterMs: number | undefined): Error {
  const isPassing = status >= 500 || status === 408 || status === 425 || status === 429
  if (isPassing) {
    return new FetchFailure(`${shownAddress(url)} answers with HTTP ${status}`, { retryAfterMs })
  }
  if (status === 401 || status === 403) {
    return refused(url, `requires authorization (HTTP ${status}); a token may be needed`)
  }
  if (status === 404 || status === 410) return refused(url, `was not found (HTTP ${status})`)
  return refused(url, `answers with HTTP ${status}`)
}

function refused(url: URL, what: string): StarlingError {
  return new StarlingError('MODEL_NOT_FOUND', `${shownAddress(url)} ${what}`)
}

async function discard(response: Response): Promise<void> {
  try {
    await response.body?.cancel()
  } catch {
    // The connection was already closed.
  }
}

/** The message of the innermost cause: that of `fetch` itself is only `fetch failed`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

/**
 * Waits for the next data of a server.
 *
 * @throws FetchFailure if nothing arrives in time; StarlingError CANCELLED; what the promise
 *   rejects with
 */
export async function unlessStalled<Result>(
  waiting: Promise<Result>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const deadline = new Deadline(clock, FETCH_STALL_TIMEOUT_MS, signal)
  try {
    return await deadline.race(waiting)
  } catch (cause) {
    throwIfCancelled(signal)
    if (!isStarlingError(cause, 'DEADLINE_EXCEEDED')) throw cause
    throw new FetchFailure(`nothing arrived for ${FETCH_STALL_TIMEOUT_MS / 1000} s`, { cause })
  } finally {
    deadline.dispose()
  }
}
