// ULIDs (https://github.com/ulid/spec): ids sort by the time when they were created.
import { ulid } from 'ulid'

/** What an id can name. */
export type IdKind = 'req' | 'usr' | 'crt'

/**
 * An id such as `req_01J…`: its kind and a ULID.
 *
 * @param nowMs milliseconds since 1970
 * @param fraction gives a random number from 0 up to, not including, 1
 */
export function createId(kind: IdKind, nowMs: number, fraction: () => number): string {
  return `${kind}_${ulid(nowMs, fraction)}`
}
