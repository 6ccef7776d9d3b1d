import { AnswerText } from '../../../helpers/chat/answer-text.js'
import { THINK_TAGS } from '../../../helpers/chat/thought-syntax.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { isLimitReached } from '../../../helpers/generation/answer-limit.js'
import type { ChatMessage } from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { unlessAborted } from '../../clock/bounded-wait.js'
import { checkRequest, notSupported } from '../check-request.js'
import type {
  Engine,
  EngineCapability,
  EngineInfo,
  GenerateRequest,
  TemplatedPrompt,
} from '../engine.js'
import { cancelledError } from '../engine-cancelled.js'

const KIND = 'scripted'
const CAPABILITIES: readonly EngineCapability[] = ['chat', 'resume', 'seed']

/** How a {@link ScriptedEngine} behaves. All options may be omitted. */
export interface ScriptedEngineOptions {
  /** The model name in requests. Default: `scripted`. */
  readonly model?: string
  /** The number of concurrent answers that it reports. It does not enforce it. Default: 4. */
  readonly slots?: number
  /** Prompt and answer together, in tokens. Default: 4096. */
  readonly contextTokens?: number
  /** The tokens of the answer. Default: the words of the last message. */
  readonly script?: (request: GenerateRequest) => readonly string[]
  /** Whether it thinks first: the text between `<think>` and `</think>` in its script. Default: false. */
  readonly thinks?: boolean
  /** Runs before each token; the token waits for it, and cancelling ends the wait. */
  readonly beforeToken?: (index: number, signal: AbortSignal) => Promise<void> | void
  /** Fails before this token, counted from 0. */
  readonly failAt?: number
  /** The error of that failure. Default: ENGINE_CRASHED. */
  readonly failWith?: StarlingError
  /** The memory of the model that it reports, in bytes. Default: 0. */
  readonly memoryBytes?: number
  /** Runs at each load. The load waits for it. */
  readonly beforeLoad?: () => Promise<void> | void
}

/**
 * An engine without a model, for tests and measurements: it answers with its script, and each token is
 * produced on demand. A prompt has as many tokens as words.
 *
 * @example
 * const engine = new ScriptedEngine({ script: () => ['Hello', ' there'] })
 */
export class ScriptedEngine implements Engine {
  /** Tokens produced by all generations so far. */
  get tokensProduced(): number {
    return this.#tokensProduced
  }

  /** Generations in progress. */
  get activeGenerations(): number {
    return this.#active.size
  }

  /** Generations that have started so far. */
  get startedGenerations(): number {
    return this.#started
  }

  /** The maximum number of generations that were in progress at once. */
  get mostActiveGenerations(): number {
    return this.#mostActive
  }

  /** Whether it counts as loaded. */
  get isLoaded(): boolean {
    return this.#isLoaded
  }

  readonly #options: ScriptedEngineOptions
  readonly #active = new Set<AbortController>()
  #tokensProduced = 0
  #started = 0
  #mostActive = 0
  #loading: Promise<void> | null = null
  #isLoaded = false
  #wasLoaded = false
  #unloads = 0
  #isDisposed = false

  constructor(options: ScriptedEngineOptions = {}) {
    this.#options = options
  }

  async prepare(): Promise<number> {
    this.#assertUsable()
    return this.#options.memoryBytes ?? 0
  }

  async load(signal?: AbortSignal): Promise<void> {
    this.#assertUsable()
    if (signal?.aborted) throw cancelledError(signal.reason)
    if (this.#loading === null) {
      const loading = this.#load()
      this.#loading = loading
      loading.catch(() => {
        // The caller gets the error; the next one tries again.
        if (this.#loading === loading) this.#loading = null
      })
    }
    await unlessAborted(this.#loading, signal, cancelledError)
  }

  async unload(): Promise<void> {
    this.#unloads += 1
    this.#isLoaded = false
    this.#loading = null
    for (const ending of this.#active) ending.abort()
  }

  /** The model name in requests. */
  get model(): string {
    return this.#options.model ?? 'scripted'
  }

  info(): EngineInfo {
    if (!this.#wasLoaded) {
      throw new StarlingError('INTERNAL', 'The engine has not been loaded yet')
    }
    return {
      kind: KIND,
      model: this.model,
      modelSha256: null,
      fingerprint: null,
      reproducibility: 'exact',
      capabilities: new Set([
        ...CAPABILITIES,
        ...(this.#options.thinks ? ['thinking' as const] : []),
      ]),
      contextTokens: this.#options.contextTokens ?? 4096,
      slots: this.#options.slots ?? 4,
      memoryBytes: this.#options.memoryBytes ?? 0,
    }
  }

  async tokenize(): Promise<readonly number[]> {
    throw this.#cannot('tokens')
  }

  async detokenize(): Promise<string> {
    throw this.#cannot('tokens')
  }

  async applyTemplate(_messages: readonly ChatMessage[]): Promise<TemplatedPrompt> {
    throw this.#cannot('template')
  }

  async embed(): Promise<readonly Float32Array[]> {
    throw this.#cannot('embed')
  }

  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    this.#assertUsable()
    if (signal.aborted) throw cancelledError(signal.reason)
    await this.load(signal)
    if (!this.#isLoaded) throw unloadedError()
    const checked = checkRequest(request, this.info())
    const ending = new AbortController()
    this.#active.add(ending)
    this.#started += 1
    this.#mostActive = Math.max(this.#mostActive, this.#active.size)
    try {
      return yield* this.#answer(checked, signal, ending.signal)
    } finally {
      this.#active.delete(ending)
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    await this.unload()
  }

  async #load(): Promise<void> {
    const unloads = this.#unloads
    await this.#options.beforeLoad?.()
    if (unloads !== this.#unloads) throw unloadedError()
    this.#isLoaded = true
    this.#wasLoaded = true
  }

  #cannot(capability: EngineCapability): StarlingError {
    if (this.#isDisposed) return disposedError()
    return notSupported(KIND, capability)
  }

  #assertUsable(): void {
    if (this.#isDisposed) throw disposedError()
  }

  async *#answer(
    request: GenerateRequest,
    signal: AbortSignal,
    unloading: AbortSignal,
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
    const { maxTokens } = request.options
    const roomTokens = contextTokens - promptTokens
    const delivered = request.resumeFrom?.length ?? 0
    const answer = new AnswerText({
      decode: (tokens) => tokens.map((token) => script[token] ?? '').join(''),
      preceding: [],
      stop: request.options.stop,
      isJson: false,
      tools: null,
      thoughts: this.#options.thinks
        ? { syntax: THINK_TAGS, marks: new Map(), isOpen: false }
        : null,
      delivered,
    })
    for (let index = 0; index < delivered; index++) answer.push({ tokenId: index })
    const ended = AbortSignal.any([signal, unloading])
    const isFull = () =>
      answer.count >= roomTokens || isLimitReached(maxTokens, answer.count, answer.thoughtCount)
    for (let index = delivered; !answer.isEnded; index++) {
      if (index === this.#options.failAt) {
        throw this.#options.failWith ?? new StarlingError('ENGINE_CRASHED', 'The engine crashed')
      }
      if (index >= script.length || isFull()) break
      await until(this.#options.beforeToken?.(index, signal), ended)
      if (unloading.aborted) throw unloadedError()
      if (signal.aborted) throw cancelledError(signal.reason)
      this.#tokensProduced += 1
      for (const token of answer.push({ tokenId: index })) {
        yield token
        if (unloading.aborted) throw unloadedError()
        if (signal.aborted) throw cancelledError(signal.reason)
      }
    }
    yield* answer.end()
    return {
      finishReason: answer.isEnded || answer.count >= script.length ? 'stop' : 'length',
      promptTokens,
      cachedTokens: 0,
      completionTokens: answer.count,
      ...(answer.thoughtCount > 0 && { thoughtTokens: answer.thoughtCount }),
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

function unloadedError(): StarlingError {
  return new StarlingError('DRAINING', 'The model was unloaded while it answered')
}

function disposedError(): StarlingError {
  return new StarlingError('ENGINE_DISPOSED', 'The engine has been disposed of')
}

/** Waits for the hook or the end of the generation. */
async function until(hook: Promise<void> | void, ended: AbortSignal): Promise<void> {
  if (hook === undefined) return
  try {
    await unlessAborted(hook, ended)
  } catch (error) {
    if (!ended.aborted) throw error
  }
}
