import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import {
  formatModelSource,
  type ModelSource,
  nameOfSource,
} from '../../../helpers/models/model-source.js'
import type { CatalogModel } from '../sources/catalog.js'

/** The length of the readable part: enough to recognise a file. */
const SHOWN_CHARACTERS = 80

/**
 * The file of a catalogue model. Contains a part of the hash, so that versions of Starling that share a home use
 * different files.
 */
export function catalogFileName({ name, gguf }: CatalogModel): string {
  return `${name}-${gguf.sha256.slice(0, 12)}.gguf`
}

/** The file of a model that is downloaded. */
export function downloadedFileName(source: ModelSource): string {
  return uniqueFileName(nameOfSource(source), formatModelSource(source), '.gguf')
}

/** The record of a model file outside of the cache. */
export function recordFileName(path: string): string {
  return uniqueFileName(basename(path), path, '.elsewhere')
}

/**
 * A file name that is readable, safe in any file system, and unique for an identity.
 *
 * @param shown the readable part; unsafe characters are replaced
 * @param identity its hash makes the name unique
 * @param ending with its dot
 */
function uniqueFileName(shown: string, identity: string, ending: string): string {
  const safe = shown.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '')
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 12)
  return `${safe.slice(0, SHOWN_CHARACTERS) || 'model'}-${hash}${ending}`
}
