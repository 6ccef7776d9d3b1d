import type { Random } from '../../facilities/clock/random.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { chooseDefaultModel } from '../../helpers/routing/default-model.js'
import type { Candidate } from './candidate.js'
import type { ProcessorDirectory } from './processor-directory.js'

/** Chooses the model and the processor for a request. */
export class Router {
  readonly #directory: ProcessorDirectory
  readonly #random: Random
  readonly #configuredDefault: string | undefined
  /** The model of the last request that named none. */
  #lastDefault: string | undefined

  /** @param options.defaultModel for requests that name no model. Default: {@link chooseDefaultModel} */
  constructor(options: {
    directory: ProcessorDirectory
    random: Random
    defaultModel?: string | undefined
  }) {
    this.#directory = options.directory
    this.#random = options.random
    this.#configuredDefault = options.defaultModel
  }

  /**
   * @param model the model that the request names, if any
   * @throws StarlingError MODEL_NOT_FOUND if only other models are available; MODEL_UNAVAILABLE if none is,
   *   or not the configured default; NOT_SUPPORTED if it is an embedding model
   */
  route(model?: string): Candidate {
    const name = model ?? this.#defaultModel()
    const chosen = this.#directory.serving(name)?.choose((limit) => this.#random.below(limit))
    if (chosen !== undefined) return chosen
    throw model === undefined ? this.#defaultMissing(name) : this.#missing(name)
  }

  /** Checks that a model is available. @throws StarlingError as {@link route} */
  assertAvailable(model: string): void {
    if (this.#directory.serving(model) === undefined) throw this.#missing(model)
  }

  #defaultModel(): string {
    const { leadingModels } = this.#directory
    const name = this.#configuredDefault ?? chooseDefaultModel(leadingModels, this.#lastDefault)
    if (name === undefined) {
      const why = this.#onlyEmbedding() ?? 'no processor with a loaded model is connected'
      throw new StarlingError('MODEL_UNAVAILABLE', `No model can answer: ${why}`)
    }
    this.#lastDefault = name
    return name
  }

  #missing(name: string): StarlingError {
    const { models } = this.#directory
    if (this.#directory.has(name)) return this.#onlyEmbeds(name)
    const missing = `No connected processor serves ${name}`
    if (models.length > 0) {
      // Not retryable: the mesh is running and serves other models only.
      return new StarlingError('MODEL_NOT_FOUND', `${missing}; ${available(models)}`)
    }
    const why = this.#onlyEmbedding() ?? 'none has a model loaded'
    return new StarlingError('MODEL_UNAVAILABLE', `${missing}: ${why}`)
  }

  #defaultMissing(name: string): StarlingError {
    if (this.#directory.has(name)) return this.#onlyEmbeds(name)
    // Retryable: the request is valid, and a processor with the model may still start.
    return new StarlingError(
      'MODEL_UNAVAILABLE',
      `No connected processor serves ${name}, which gateway.defaultModel names; ` +
        available(this.#directory.models),
    )
  }

  #onlyEmbeds(name: string): StarlingError {
    return new StarlingError(
      'NOT_SUPPORTED',
      `${name} is an embedding model and cannot answer prompts; ${available(this.#directory.models)}`,
    )
  }

  /** Why no model can answer, if there are embedding models only. */
  #onlyEmbedding(): string | undefined {
    const { embeddingModels } = this.#directory
    if (embeddingModels.length === 0) return undefined
    return `only embedding models are available: ${embeddingModels.join(', ')}`
  }
}

function available(models: readonly string[]): string {
  return models.length === 0
    ? 'no other model is available'
    : `available models: ${models.join(', ')}`
}
