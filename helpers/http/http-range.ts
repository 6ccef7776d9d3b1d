/** The part of a file that a server sends. Offsets from 0, `end` included. */
export interface ContentRange {
  readonly start: number
  readonly end: number
  /** Undefined when the server does not say. */
  readonly totalBytes: number | undefined
}

/** Reads `bytes 100-199/200` (RFC 9110, section 14.4); undefined if it is malformed. */
export function parseContentRange(header: string | null): ContentRange | undefined {
  const [, start = '', end = '', total = ''] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header?.trim() ?? '') ?? []
  if (total === '') return undefined
  const range = {
    start: Number(start),
    end: Number(end),
    totalBytes: total === '*' ? undefined : Number(total),
  }
  const isPossible = range.start <= range.end && range.end < (range.totalBytes ?? Infinity)
  return isPossible ? range : undefined
}

/** Reads a number of bytes; undefined if it is malformed. */
export function parseContentLength(header: string | null): number | undefined {
  const text = header?.trim() ?? ''
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** How a server identifies the state of a file. */
export interface FileState {
  readonly etag: string | null
  readonly lastModified: string | null
}

/**
 * The condition of a request for the rest of a file (`If-Range`, RFC 9110, section 13.1.5): a strong
 * ETag, else the date of the last change; undefined if there is neither, and the rest might belong to
 * another file.
 */
export function rangeCondition({ etag, lastModified }: FileState): string | undefined {
  if (etag !== null && /^"[^"]*"$/.test(etag)) return etag
  return lastModified === null || lastModified === '' ? undefined : lastModified
}

/** Whether two answers may be of the same state of a file: nothing in them differs. */
export function mayBeSameState(before: FileState, now: FileState): boolean {
  if (before.etag !== null && now.etag !== null) return before.etag === now.etag
  if (before.lastModified !== null && now.lastModified !== null) {
    return before.lastModified === now.lastModified
  }
  return true
}

/**
 * Whether two answers are of the same state of a file: the second one repeats the identification in the
 * first. Some servers ignore the condition of a request.
 */
export function isSameState(before: FileState, now: FileState): boolean {
  const condition = rangeCondition(before)
  if (condition === undefined || !mayBeSameState(before, now)) return false
  return condition === now.etag || condition === now.lastModified
}

/** The hash in an ETag of the Hugging Face hub; undefined if it is not a hash, as for small files. */
export function sha256FromEtag(etag: string | null): string | undefined {
  return /^(?:W\/)?"?([0-9a-f]{64})"?$/i.exec(etag?.trim() ?? '')?.[1]?.toLowerCase()
}

/**
 * How long a server asks to wait (`Retry-After`, RFC 9110, section 10.2.3), in milliseconds; undefined
 * if it does not, or if the text is neither seconds nor a date.
 *
 * @param nowMs milliseconds since 1970
 */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
