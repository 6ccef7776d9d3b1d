import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { GenerationEnd, Token } from '../../helpers/protocol/generation.js'
import type { Engine, EngineInfo, GenerateRequest } from './engine.js'

/** How a {@link ScriptedEngine} behaves. Everything may be left out. */
export interface ScriptedEngineOptions {
  /** The name that requests ask for. Default `scripted`. */
  readonly model?: string
  /** Answers side by side that it says it produces; it never refuses more. Default 4. */
  readonly slots?: number
  /** Prompt and answer together, in tokens. Default 4096. */
  readonly contextTokens?: number
  /** The tokens of the answer. Default: the words of the last message. */
  readonly script?: (request: GenerateRequest) => readonly string[]
  /** Runs before each token; the token waits for it, and cancelling ends the wait. */
  readonly beforeToken?: (index: number, signal: AbortSignal) => Promise<void> | void
  /** Fails before this token, counted from 0. */
  readonly failAt?: number
  /** What it fails with. Default ENGINE_CRASHED. */
  readonly failWith?: StarlingError
}

/**
 * An engine without a model, for tests and measurements: it says what its script says, each token
 * when it is pulled. A prompt has as many tokens as words.
 *
 * @example
 * const engine = new ScriptedEngine({ script: () => ['Hello', ' there'] })
 */
export class ScriptedEngine implements Engine {
  /** Tokens produced by all generations so far. */
  get tokensProduced(): number {
    return this.#tokensProduced
  }

  /** Generations that have started and not ended. */
  get activeGenerations(): number {
    return this.#active.size
  }

  /** Generations that have started so far. */
  get startedGenerations(): number {
    return this.#started
  }

  /** The most generations that were active at once. */
  get mostActiveGenerations(): number {
    return this.#mostActive
  }

  readonly #options: ScriptedEngineOptions
  readonly #active = new Set<AbortController>()
  #tokensProduced = 0
  #started = 0
  #mostActive = 0
  #closed = false

  constructor(options: ScriptedEngineOptions = {}) {
    this.#options = options
  }

  async ready(): Promise<void> {
    // There is nothing to load.
  }

  info(): EngineInfo {
    return {
      kind: 'scripted',
      model: this.#options.model ?? 'scripted',
      modelSha256: null,
      contextTokens: this.#options.contextTokens ?? 4096,
      slots: this.#options.slots ?? 4,
    }
  }

  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const closing = new AbortController()
    if (this.#closed) throw closedError()
    if (signal.aborted) throw cancelledError(signal)
    this.#active.add(closing)
    this.#started += 1
    this.#mostActive = Math.max(this.#mostActive, this.#active.size)
    try {
      return yield* this.#answer(request, signal, closing.signal)
    } finally {
      this.#active.delete(closing)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const closing of this.#active) closing.abort()
  }

  async *#answer(
    request: GenerateRequest,
    signal: AbortSignal,
    closing: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { contextTokens } = this.info()
    const promptTokens = request.messages.reduce(
      (sum, { content }) => sum + words(content).length,
      0,
    )
    if (promptTokens >= contextTokens) {
      throw new StarlingError(
        'CONTEXT_TOO_LONG',
        `The prompt has ${promptTokens} tokens; at most ${contextTokens - 1} leave room for an answer`,
      )
    }
    const script = (this.#options.script ?? echo)(request)
    const mostTokens = Math.min(request.options.maxTokens, contextTokens - promptTokens)
    const produced = Math.min(script.length, mostTokens)
    const ended = AbortSignal.any([signal, closing])
    for (let index = 0; index <= produced; index++) {
      if (index === this.#options.failAt) {
        throw this.#options.failWith ?? new StarlingError('ENGINE_CRASHED', 'The engine crashed')
      }
      const text = script[index]
      if (index === produced || text === undefined) break
      await until(this.#options.beforeToken?.(index, signal), ended)
      if (closing.aborted) throw closedError()
      if (signal.aborted) throw cancelledError(signal)
      this.#tokensProduced += 1
      yield { text, tokenId: index, index }
      if (closing.aborted) throw closedError()
      if (signal.aborted) throw cancelledError(signal)
    }
    return {
      finishReason: script.length <= mostTokens ? 'stop' : 'length',
      promptTokens,
      completionTokens: produced,
      timings: { promptMs: 0, generationMs: 0 },
    }
  }
}

function words(text: string): string[] {
  return text.match(/\S+/g) ?? []
}

function echo({ messages }: GenerateRequest): string[] {
  return words(messages.at(-1)?.content ?? '').map((word, index) =>
    index === 0 ? word : ` ${word}`,
  )
}

function cancelledError(signal: AbortSignal): StarlingError {
  return new StarlingError('CANCELLED', 'The answer was cancelled', { cause: signal.reason })
}

function closedError(): StarlingError {
  return new StarlingError('DRAINING', 'The engine is closed')
}

/** Waits for the hook, but no longer than the generation lasts. */
async function until(hook: Promise<void> | void, ended: AbortSignal): Promise<void> {
  if (hook === undefined || ended.aborted) return
  await new Promise<void>((resolve, reject) => {
    const onEnded = () => resolve()
    ended.addEventListener('abort', onEnded, { once: true })
    hook.then(resolve, reject).finally(() => ended.removeEventListener('abort', onEnded))
  })
}
