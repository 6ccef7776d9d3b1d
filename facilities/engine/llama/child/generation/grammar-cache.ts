import { createHash } from 'node:crypto'
import type { Llama, LlamaGrammar } from 'node-llama-cpp'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { jsonGrammar } from '../../../../../helpers/generation/json-grammar/json-grammar.js'

/** Grammars that are cached: programs use the same schema repeatedly. */
const MAX_GRAMMARS = 16

/** The size of all their texts. */
const MAX_CACHE_BYTES = 1_048_576

/** A grammar and the size of its text. */
interface KnownGrammar {
  readonly grammar: LlamaGrammar
  readonly sizeBytes: number
}

/** The grammars of JSON schemas, created on first use. */
export class GrammarCache {
  readonly #llama: Pick<Llama, 'createGrammar'>
  /** By the hash of the schema; least recently used first. */
  readonly #known = new Map<string, KnownGrammar>()
  #sizeBytes = 0

  constructor(llama: Pick<Llama, 'createGrammar'>) {
    this.#llama = llama
  }

  /** @throws StarlingError GRAMMAR_INVALID if the schema cannot be enforced */
  async grammarOf(schema: Readonly<Record<string, unknown>>): Promise<LlamaGrammar> {
    const key = createHash('sha256').update(JSON.stringify(schema)).digest('base64')
    const known = this.#known.get(key) ?? (await this.#make(schema))
    this.#forget(key)
    this.#known.set(key, known)
    this.#sizeBytes += known.sizeBytes
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_GRAMMARS && this.#sizeBytes <= MAX_CACHE_BYTES) break
      this.#forget(oldest)
    }
    return known.grammar
  }

  async #make(schema: Readonly<Record<string, unknown>>): Promise<KnownGrammar> {
    const grammar = jsonGrammar(schema)
    try {
      return {
        grammar: await this.#llama.createGrammar({ grammar }),
        sizeBytes: Buffer.byteLength(grammar),
      }
    } catch (cause) {
      throw new StarlingError(
        'GRAMMAR_INVALID',
        'The JSON schema cannot be used: llama.cpp rejects its grammar',
        { cause },
      )
    }
  }

  #forget(key: string): void {
    this.#sizeBytes -= this.#known.get(key)?.sizeBytes ?? 0
    this.#known.delete(key)
  }
}
