import { createHash } from 'node:crypto'

/** Enough to recognise a file by. */
const SHOWN_CHARACTERS = 80

/**
 * The name of a file that is kept for something with a longer name: one that can be recognised, is
 * safe in any file system, and is of that thing alone.
 *
 * @param shown what to recognise it by
 * @param identity what tells it apart from all others
 * @param ending with its dot
 */
export function modelFileName(shown: string, identity: string, ending: string): string {
  const safe = shown.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '')
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 12)
  return `${safe.slice(0, SHOWN_CHARACTERS) || 'model'}-${hash}${ending}`
}
