import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { BlockingStep } from './request-watch.js'

/** A JSON schema that an answer is held to. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Signals with which a process ends that met something it could not go on with. */
export const FATAL_SIGNALS: readonly (string | null)[] = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGFPE']

/** Why a request made the engine's process hang or end. */
interface Blame {
  readonly requests: readonly number[]
  readonly step: BlockingStep | 'choosing'
  readonly reason: string
}

/**
 * Keeps what is needed to tell which request an engine's process hung or ended with: that one gets an
 * error of its own, which is not to be tried again.
 */
export class RequestSuspects {
  readonly #schemas = new Map<number, JsonSchema>()
  /** What the process said that it begins with, in this order, and is not through with. */
  readonly #steps = new Map<number, BlockingStep>()
  #blame: Blame | null = null

  /** A request began. */
  began(request: number, schema: JsonSchema | undefined): void {
    if (schema !== undefined) this.#schemas.set(request, schema)
  }

  /** The process is done with a request. */
  ended(request: number): void {
    this.#schemas.delete(request)
  }

  /** The request for which the process answers nobody in the meantime; null when there is none. */
  get blocking(): number | null {
    const [first = null] = this.#steps.keys()
    return first
  }

  /** The process is about to begin a step of a request; null: it is through with it. */
  step(request: number, step: BlockingStep | null): void {
    if (step === null) this.#steps.delete(request)
    else this.#steps.set(request, step)
  }

  /** The process is about to be killed because of some requests. The first time counts. */
  overdue(requests: readonly number[], reason: string): void {
    const [only] = requests
    const step = only === undefined || only !== this.blocking ? undefined : this.#steps.get(only)
    this.#blame ??= { requests, reason, step: step ?? 'choosing' }
  }

  /** The errors of the requests that are to blame for the end of the process. */
  errors(signal: string | null): ReadonlyMap<number, StarlingError> {
    const [first] = this.#steps
    if (first !== undefined && FATAL_SIGNALS.includes(signal)) {
      const [request, step] = first
      const reason = `it ended the engine's process (${signal})`
      this.#blame ??= { requests: [request], step, reason }
    }
    const blame = this.#blame
    if (blame === null) return new Map()
    return new Map(blame.requests.map((request) => [request, blamed(blame)]))
  }

  /** The schemas by which the process hung or ended. */
  schemas(): readonly JsonSchema[] {
    const { requests = [], step } = this.#blame ?? {}
    if (step !== 'grammar' && step !== 'choosing') return []
    return requests
      .map((request) => this.#schemas.get(request))
      .filter((schema) => schema !== undefined)
  }
}

function blamed({ step, reason }: Blame): StarlingError {
  switch (step) {
    case 'grammar':
    case 'choosing':
      return new StarlingError('GRAMMAR_INVALID', `The JSON schema cannot be used: ${reason}`)
    case 'prompt':
      return new StarlingError(
        'INVALID_REQUEST',
        `The model cannot read this conversation by its chat template and vocabulary: ${reason}`,
      )
    case 'tokens':
      return new StarlingError('INVALID_REQUEST', `The text cannot become tokens: ${reason}`)
  }
}
