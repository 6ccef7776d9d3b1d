import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { isLimitReached } from '../../../helpers/generation/answer-limit.js'
import { watchFor } from '../../../helpers/generation/repetition-watch.js'
import { ServerSentEvents } from '../../../helpers/http/server-sent-events.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import {
  OpenaiChatAnswer,
  openaiChunkSchema,
} from '../../../helpers/upstream/openai/chat-answer.js'
import { openaiChatRequest } from '../../../helpers/upstream/openai/chat-request.js'
import { openaiEmbeddingsSchema } from '../../../helpers/upstream/openai/model-description.js'
import type { EngineCapability, EngineInfo, GenerateRequest } from '../engine.js'
import { type OpenaiServerOptions, openaiModelsOf, openaiServer } from './openai-models.js'
import { RemoteEngine } from './remote-engine.js'
import { MAX_PART_CHARACTERS, type ServerAnswer } from './server-answer.js'
import { modelNotFound, readJson } from './server-metadata.js'

const KIND = 'openai'

/** What the API offers for a chat model. A server that lacks one of them refuses the request. */
const CHAT_CAPABILITIES: readonly EngineCapability[] = [
  'chat',
  'seed',
  'logit-bias',
  'logprobs',
  'dry',
  'json-schema',
  'tools',
  'thinking',
]

/** The data of the last event of a stream. */
const END_OF_STREAM = '[DONE]'

/** How an {@link OpenaiEngine} is set up. */
export interface OpenaiEngineOptions extends OpenaiServerOptions {
  /** The name of the model on the server. */
  readonly model: string
  /** The model name in requests. Default: the name on the server. */
  readonly name?: string
  /** Concurrent answers; the server queues those above its own limit. Default: 4. */
  readonly slots?: number
  /** Prompt and answer together, in tokens. Default: the value of the server, or 4096. */
  readonly contextTokens?: number
  /**
   * What the server can do with the model. Servers do not report it. Default: `embed` if the name is that of
   * an embedding model, otherwise `chat`, `seed`, `logit-bias`, `logprobs`,
   * `dry`, `json-schema`, `tools` and `thinking`.
   */
  readonly capabilities?: Iterable<EngineCapability>
}

/**
 * A model of any server with the OpenAI API: vLLM, llama-server, LM Studio. Its tokens are the pieces that
 * the server sends.
 *
 * @example
 * const engine = new OpenaiEngine({ model: 'qwen3', baseUrl: 'http://127.0.0.1:8000/v1', clock })
 * for await (const token of engine.generate({ messages, options }, signal)) write(token.text)
 */
export class OpenaiEngine extends RemoteEngine {
  readonly #options: OpenaiEngineOptions

  /** @throws StarlingError CONFIG_INVALID if the address or the key is invalid */
  constructor(options: OpenaiEngineOptions) {
    super(KIND, openaiServer(options))
    this.#options = options
  }

  protected override async vectors(
    input: readonly string[],
    ending: AbortSignal,
  ): Promise<readonly (readonly number[])[]> {
    const answer = await this.server.request({
      method: 'POST',
      path: '/embeddings',
      body: JSON.stringify({ model: this.#options.model, input, encoding_format: 'float' }),
      signal: ending,
    })
    const { data, success } = openaiEmbeddingsSchema.safeParse(await readJson(answer))
    if (!success) throw answer.malformed()
    const inOrder = data.data.toSorted((one, other) => one.index - other.index)
    return inOrder.map(({ embedding }) => embedding)
  }

  protected override async *answer(
    { messages, options }: GenerateRequest,
    _info: EngineInfo,
    ending: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { clock } = this.server
    const startedAt = clock.monotonic()
    let firstAt: number | null = null
    const answer = new OpenaiChatAnswer(messages.length, options.logprobs)
    const end = () => {
      const promptEndedAt = firstAt ?? clock.monotonic()
      const timings = {
        promptMs: promptEndedAt - startedAt,
        generationMs: clock.monotonic() - promptEndedAt,
      }
      return answer.end(timings)
    }
    const hasSchema = options.jsonSchema !== undefined
    const response = await this.server.request({
      method: 'POST',
      path: '/chat/completions',
      body: JSON.stringify(openaiChatRequest({ model: this.#options.model, messages, options })),
      signal: ending,
      hasSchema,
    })
    const repetition = watchFor<string>({ messages, options }, (pieces) => pieces.join(''))
    let isRead = false
    let thoughts = 0
    /** The end of an answer that is cut off after this many tokens. */
    const cutAt = (completionTokens: number): GenerationEnd => ({
      ...end(),
      finishReason: 'length',
      completionTokens,
      ...(thoughts > 0 && { thoughtTokens: thoughts }),
    })
    try {
      for await (const data of this.#events(response, hasSchema)) {
        const tokens = answer.take(openaiChunkSchema.parse(JSON.parse(data)))
        for (const token of tokens) {
          // Some servers ignore the limit.
          if (isLimitReached(options.maxTokens, token.index, thoughts)) {
            return cutAt(token.index)
          }
          if (token.kind === 'thought') thoughts += 1
          firstAt ??= clock.monotonic()
          yield token
          ending.throwIfAborted()
          if (repetition?.push(token.text)) {
            return { ...cutAt(token.index + 1), stopReason: 'repetition' }
          }
        }
      }
      if (!answer.hasEnded) throw response.malformed()
      isRead = true
      response.finish(clock)
      return end()
    } catch (error) {
      // Another error may quote the answer.
      throw isStarlingError(error) ? error : response.malformed()
    } finally {
      if (!isRead) response.discard()
    }
  }

  /** The data of each event except the last. @throws StarlingError the error that the server sends */
  async *#events(response: ServerAnswer, hasSchema: boolean): AsyncGenerator<string, void, void> {
    response.expect('text/event-stream')
    const events = new ServerSentEvents(MAX_PART_CHARACTERS)
    const parts = response.parts({
      clock: this.server.clock,
      push: (bytes) => events.push(bytes),
    })
    for await (const { type, data } of parts) {
      if (data === END_OF_STREAM) return
      const { error }: { readonly error?: unknown } = Object(JSON.parse(data))
      if (type === 'error' || (error !== undefined && error !== null)) {
        throw this.server.failureWithin(data, hasSchema)
      }
      yield data
    }
  }

  protected override async read(signal: AbortSignal): Promise<EngineInfo> {
    const { model, name, slots, contextTokens, capabilities } = this.#options
    const models = await openaiModelsOf(this.server, signal)
    const found = models.find((one) => one.name === model)
    if (found === undefined) {
      const names = models.map((one) => one.name)
      throw modelNotFound(this.server, model, names)
    }
    const usual: readonly EngineCapability[] = found.isEmbedding ? ['embed'] : CHAT_CAPABILITIES
    return {
      kind: KIND,
      model: name ?? model,
      modelSha256: null,
      fingerprint: null,
      reproducibility: 'none',
      capabilities: new Set(capabilities ?? usual),
      contextTokens: contextTokens ?? found.contextTokens ?? 4096,
      slots: slots ?? 4,
      memoryBytes: 0,
    }
  }
}
