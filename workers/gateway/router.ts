import type { Random } from '../../facilities/clock/random.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { chooseCandidate } from '../../helpers/routing/choose-candidate.js'
import { chooseDefaultModel } from '../../helpers/routing/default-model.js'
import type { Candidate, ProcessorDirectory } from './processor-directory.js'

/** Decides by which model a question is answered, and on which processor. */
export class Router {
  readonly #directory: ProcessorDirectory
  readonly #random: Random
  readonly #configuredDefault: string | undefined
  /** What answered the last question that named no model. */
  #lastDefault: string | undefined

  /** @param options.defaultModel answers what names no model; left out, what processors put first */
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
   * @param model as the question names it
   * @throws StarlingError MODEL_NOT_FOUND when others are served, MODEL_UNAVAILABLE when none is or the
   *   default is not there, NOT_SUPPORTED when the model answers no questions
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
        `${name} turns texts into vectors and answers no questions; ${listOf('answering', models)}`,
      )
    }
    if (models.length > 0) {
      // Not to be waited for: the mesh is up, and this is not among what it serves.
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

  /** The question is as it should be: its processor may be on its way. */
  #defaultMissing(name: string): StarlingError {
    return new StarlingError(
      'MODEL_UNAVAILABLE',
      `No connected processor answers with ${name}, which gateway.defaultModel names; ` +
        listOf('served', this.#directory.models),
    )
  }
}

function listOf(what: string, models: readonly string[]): string {
  return models.length === 0 ? `none is ${what}` : `${what} are: ${models.join(', ')}`
}
