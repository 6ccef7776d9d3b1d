import test, { type Test } from 'brittle'
import type {
  Engine,
  EngineCapability,
  GenerateRequest,
} from '../../../../facilities/engine/engine.js'
import type { Reproducibility } from '../../../../helpers/protocol/generation.js'
import type { GenerationOptionsInput } from '../../../../helpers/protocol/generation-options.js'
import { optionsOf } from '../../factory.js'
import type { Scope } from '../../scope.js'
import { Shared } from '../../shared.js'

/** The declared properties of an engine, and what the suite needs to send requests to it. */
export interface ComplianceExpectations {
  readonly kind: string
  readonly capabilities: readonly EngineCapability[]
  readonly reproducibility: Reproducibility
  /**
   * Whether the same greedy request has the same answer here, whatever the engine promises. Default:
   * unless it promises nothing.
   */
  readonly answersRepeat?: boolean
  /** At least four prompts, each with a different answer of 24 tokens or more. */
  readonly prompts: readonly string[]
  /** A prompt that exceeds the context. */
  readonly tooLongPrompt: string
}

/** Creates an engine that is not loaded and is disposed of at the end of the scope. */
export type CreateEngine = (scope: Scope) => Engine | Promise<Engine>

/** An engine under test. */
export class ComplianceSubject {
  readonly expectations: ComplianceExpectations
  readonly create: CreateEngine
  readonly #name: string
  readonly #shared: Shared<Engine>

  constructor(name: string, create: CreateEngine, expectations: ComplianceExpectations) {
    this.#name = name
    this.create = create
    this.#shared = new Shared(create)
    this.expectations = expectations
  }

  get answersRepeat(): boolean {
    const { answersRepeat, reproducibility } = this.expectations
    return answersRepeat ?? reproducibility !== 'none'
  }

  can(capability: EngineCapability): boolean {
    return this.expectations.capabilities.includes(capability)
  }

  prompt(index: number): string {
    const { prompts } = this.expectations
    return prompts[index % prompts.length] ?? ''
  }

  /** @param behaviour `should … when …` */
  test(behaviour: string, body: (t: Test) => Promise<void>): void {
    test(`${behaviour} (${this.#name})`, body)
  }

  /** The engine that is shared by the tests that do not change its state. */
  shared(): Promise<Engine> {
    return this.#shared.get()
  }

  /** Disposes of the engine of {@link shared}; for the last test of a file. */
  async end(): Promise<void> {
    await this.#shared.end()
  }
}

/** Never aborted. */
export const FOREVER = new AbortController().signal

/** Long enough to be interrupted. */
export const LONG = { maxTokens: 200 }

/** A request of one message. */
export function requestOf(content: string, options: GenerationOptionsInput = {}): GenerateRequest {
  return { messages: [{ role: 'user', content }], options: optionsOf(options) }
}

/** The code of the error that a promise is rejected with; `nothing` when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'nothing'
  } catch (error) {
    return String(Object(error).code)
  }
}
