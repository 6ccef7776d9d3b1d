import type { Llama, LlamaGrammar } from 'node-llama-cpp'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { jsonGrammar } from '../../helpers/json-grammar/json-grammar.js'

/** Grammars that are kept: programs ask for the same schema again and again. */
const MAX_GRAMMARS = 16

/** The grammars of JSON schemas, made when they are first asked for. */
export class GrammarCache {
  readonly #llama: Llama
  /** By the schema's text; the one that was used longest ago comes first. */
  readonly #grammars = new Map<string, LlamaGrammar>()

  constructor(llama: Llama) {
    this.#llama = llama
  }

  /** @throws StarlingError GRAMMAR_INVALID when answers cannot be held to the schema */
  async grammarOf(schema: Readonly<Record<string, unknown>>): Promise<LlamaGrammar> {
    const key = JSON.stringify(schema)
    const grammar = this.#grammars.get(key) ?? (await this.#make(jsonGrammar(schema)))
    this.#grammars.delete(key)
    this.#grammars.set(key, grammar)
    const [oldest] = this.#grammars.keys()
    if (this.#grammars.size > MAX_GRAMMARS && oldest !== undefined) this.#grammars.delete(oldest)
    return grammar
  }

  async #make(grammar: string): Promise<LlamaGrammar> {
    try {
      return await this.#llama.createGrammar({ grammar })
    } catch (cause) {
      throw new StarlingError(
        'GRAMMAR_INVALID',
        'The JSON schema cannot be used: llama.cpp finds its grammar ambiguous or too large',
        { cause },
      )
    }
  }
}
