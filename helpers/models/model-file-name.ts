import { createHash } from 'node:crypto'

/** Enough to recognise a file. */
const SHOWN_CHARACTERS = 80

/**
 * A file name that is readable, safe in any file system, and unique for an identity.
 *
 * @param shown the readable part; unsafe characters are replaced
 * @param identity its hash makes the name unique
 * @param ending with its dot
 */
export function modelFileName(shown: string, identity: string, ending: string): string {
  const safe = shown.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '')
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 12)
  return `${safe.slice(0, SHOWN_CHARACTERS) || 'model'}-${hash}${ending}`
}
