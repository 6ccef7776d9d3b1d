import { createHash } from 'node:crypto'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { BlockingStep } from './request-watch.js'
import type { RecordedStep } from './step-record.js'

/** Schemas that are remembered. If there are more, the one that was refused first is forgotten. */
const MAX_REFUSED_SCHEMAS = 256

/** A JSON schema that an answer must match. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Signals that end a process after a fatal error. */
export const FATAL_SIGNALS: readonly (string | null)[] = ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGFPE']

/** Why a request made the engine's process hang or end. */
interface Blame {
  readonly requests: readonly number[]
  readonly step: BlockingStep | 'choosing'
  readonly reason: string
}

/**
 * Keeps track of requests to find out which one made an engine's process hang or end. That request gets
 * an error that is not retryable.
 */
export class CrashAttribution {
  readonly #schemas = new Map<number, JsonSchema>()
  /** The step that blocks the process, or that blocked it when it ended. */
  readonly #recorded: () => RecordedStep | null
  #blame: Blame | null = null

  constructor(recorded: () => RecordedStep | null) {
    this.#recorded = recorded
  }

  /** A request began. */
  began(request: number, schema: JsonSchema | undefined): void {
    if (schema !== undefined) this.#schemas.set(request, schema)
  }

  /** The process has finished a request. */
  ended(request: number): void {
    this.#schemas.delete(request)
  }

  /** The process is about to be killed because of some requests. Only the first call counts. */
  overdue(requests: readonly number[], reason: string): void {
    const recorded = this.#recorded()
    const isRecorded = recorded !== null && requests.includes(recorded.request)
    this.#blame ??= { requests, reason, step: isRecorded ? recorded.step : 'choosing' }
  }

  /** The errors of the requests that caused the end of the process. */
  errors(signal: string | null): ReadonlyMap<number, StarlingError> {
    const recorded = this.#recorded()
    if (recorded !== null && FATAL_SIGNALS.includes(signal)) {
      const { request, step } = recorded
      const reason = `it ended the engine's process (${signal})`
      this.#blame ??= { requests: [request], step, reason }
    }
    const blame = this.#blame
    if (blame === null) return new Map()
    return new Map(blame.requests.map((request) => [request, blamed(blame)]))
  }

  /** The schemas that made the process hang or end. */
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
        `The chat template or the tokenizer of the model cannot process this conversation: ${reason}`,
      )
    case 'tokens':
      return new StarlingError('INVALID_REQUEST', `The text cannot be tokenized: ${reason}`)
  }
}

/** Remembers, by their hashes, the JSON schemas that made an engine's process hang or end. */
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
