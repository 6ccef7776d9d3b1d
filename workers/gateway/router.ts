import type { Random } from '../../facilities/clock/random.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { chooseCandidate } from '../../helpers/routing/choose-candidate.js'
import { chooseDefaultModel } from '../../helpers/routing/default-model.js'
import type { Candidate, ProcessorDirectory } from './processor-directory.js'

/** Chooses the model and the processor for a question. */
export class Router {
  readonly #directory: ProcessorDirectory
  readonly #random: Random
  readonly #configuredDefault: string | undefined
  /** The model of the last question that named none. */
  #lastDefault: string | undefined

  /** @param options.defaultModel for questions that name none; default: {@link chooseDefaultModel} */
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
   * @param model the name in the question, if it has one
   * @throws StarlingError MODEL_NOT_FOUND if only other models are served; MODEL_UNAVAILABLE if none is,
   *   or not the configured default; NOT_SUPPORTED if the model only embeds texts
   */
  route(model?: string): Candidate {
    const name = model ?? this.#defaultModel()
    const chosen = chooseCandidate(
      this.#directory.serving(name),
      ({ processor, offer }) => ({ reported: offer, sentSince: processor.sentSince(name) }),
      (limit) => this.#random.below(limit),
    )
    if (chosen !== undefined) return chosen
    throw model === undefined ? this.#defaultMissing(name) : this.#missing(name)
  }

  #defaultModel(): string {
    const { firstModels } = this.#directory
    const name = this.#configuredDefault ?? chooseDefaultModel(firstModels, this.#lastDefault)
    if (name === undefined) {
      throw new StarlingError('MODEL_UNAVAILABLE', 'No processor with a loaded model is connected')
    }
    this.#lastDefault = name
    return name
  }

  #missing(name: string): StarlingError {
    const { models } = this.#directory
    if (this.#directory.has(name)) {
      return new StarlingError(
        'NOT_SUPPORTED',
        `${name} only embeds texts and cannot answer questions; ${listOf('served', models)}`,
      )
    }
    if (models.length > 0) {
      // Not retryable: the mesh is up, and this model is not among those that it serves.
      return new StarlingError(
        'MODEL_NOT_FOUND',
        `No connected processor serves ${name}; ${listOf('served', models)}`,
      )
    }
    return new StarlingError(
      'MODEL_UNAVAILABLE',
      `No connected processor serves ${name}: none has a model loaded`,
    )
  }

  /** Retryable: the question is valid, and a processor with the model may still start. */
  #defaultMissing(name: string): StarlingError {
    return new StarlingError(
      'MODEL_UNAVAILABLE',
      `No connected processor serves ${name}, which gateway.defaultModel names; ` +
        listOf('served', this.#directory.models),
    )
  }
}

function listOf(what: string, models: readonly string[]): string {
  return models.length === 0 ? `none is ${what}` : `${what} are: ${models.join(', ')}`
}
