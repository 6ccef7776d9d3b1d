import type { Engine } from '../../facilities/engine/engine.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { ModelDetails } from '../../helpers/protocol/processor-protocol.js'
import type { EngineOffer } from './pooled-model.js'

/** A model that a server has. */
export interface ListedModel {
  readonly model: string
  readonly details: ModelDetails
  readonly createEngine: () => Engine
}

/** A server that runs models, and how to list them. */
export interface ModelListing {
  /** Human-readable: `the Ollama server`. */
  readonly title: string
  /** Without credentials. */
  readonly url: string
  /** Concurrent answers, for each model. */
  readonly slots: number
  /** @throws StarlingError as the engines of servers */
  readonly list: () => Promise<readonly ListedModel[]>
}

/**
 * A server whose models a processor offers. It is an independent process, which may start after the
 * processor and end before it; the processor cannot start it.
 */
export class ModelServerStatus {
  readonly title: string
  readonly url: string
  readonly #slots: number
  readonly #list: ModelListing['list']
  #failure: StarlingError | null = null
  #hasListed = false

  constructor({ title, url, slots, list }: ModelListing) {
    this.title = title
    this.url = url
    this.#slots = slots
    this.#list = list
  }

  /** Why it cannot be used, as of the last check; null if it can. */
  get failure(): StarlingError | null {
    return this.#failure
  }

  /** Whether it has listed its models. */
  get hasListed(): boolean {
    return this.#hasListed
  }

  /**
   * Checks whether the server answers.
   *
   * @returns its models when it answers for the first time; afterwards none
   * @throws StarlingError the first time, if waiting does not help: CONFIG_INVALID for a refused key, for
   *   example
   */
  async check(): Promise<readonly EngineOffer[]> {
    try {
      const listed = await this.#list()
      if (this.#hasListed) {
        this.#failure = null
        return []
      }
      if (listed.length === 0) throw this.#empty()
      this.#failure = null
      this.#hasListed = true
      return listed.map((model) => this.#offer(model))
    } catch (error) {
      if (!isStarlingError(error)) throw error
      this.#failure = error
      if (!this.#hasListed && !isWorthWaiting(error)) throw error
      return []
    }
  }

  #offer({ model, details, createEngine }: ListedModel): EngineOffer {
    const describe = async () => details
    return { model, engine: createEngine(), slots: this.#slots, describe, server: this }
  }

  #empty(): StarlingError {
    return new StarlingError('MODEL_NOT_FOUND', `The server at ${this.url} has no models`)
  }
}

/** Whether a server that fails with this error may start, or get a model, later. */
function isWorthWaiting(error: StarlingError): boolean {
  const codes = ['ENGINE_UNREACHABLE', 'ENGINE_CRASHED', 'OVERLOADED', 'MODEL_NOT_FOUND'] as const
  return isStarlingError(error, ...codes)
}
