import { createHash } from 'node:crypto'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { JsonSchema } from './request-suspects.js'

/** Schemas that are remembered. If there are more, the one that was refused first is forgotten. */
const MAX_REFUSED_SCHEMAS = 256

/** Remembers, by their hashes, the JSON schemas that an engine's process hung or ended with. */
export class SchemaRefusals {
  readonly #hashes = new Set<string>()

  add(schema: JsonSchema): void {
    this.#hashes.add(hashOf(schema))
    const [oldest] = this.#hashes
    if (this.#hashes.size > MAX_REFUSED_SCHEMAS && oldest !== undefined) this.#hashes.delete(oldest)
  }

  /** @throws StarlingError GRAMMAR_INVALID for a schema that was refused */
  check(schema: JsonSchema | undefined): void {
    if (schema === undefined || this.#hashes.size === 0 || !this.#hashes.has(hashOf(schema))) return
    throw new StarlingError(
      'GRAMMAR_INVALID',
      'The JSON schema cannot be used: an earlier answer with it did not finish',
    )
  }
}

function hashOf(schema: JsonSchema): string {
  return createHash('sha256').update(JSON.stringify(schema)).digest('base64')
}
