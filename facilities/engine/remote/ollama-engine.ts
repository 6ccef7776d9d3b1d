import type { AnswerPiece } from '../../../helpers/chat/thought-pieces.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { isLimitReached } from '../../../helpers/generation/answer-limit.js'
import { watchFor } from '../../../helpers/generation/repetition-watch.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { textPieces } from '../../../helpers/text/text-pieces.js'
import {
  OllamaChatAnswer,
  ollamaChatLineSchema,
} from '../../../helpers/upstream/ollama/chat-answer.js'
import { ollamaChatRequest } from '../../../helpers/upstream/ollama/chat-request.js'
import type { Clock } from '../../clock/clock.js'
import type { EngineCapability, EngineInfo, GenerateRequest } from '../engine.js'
import { ollamaCall } from './ollama-client.js'
import { ollamaFactsOf, ollamaServer } from './ollama-models.js'
import { RemoteEngine } from './remote-engine.js'

const KIND = 'ollama'

/** The most characters of one token; a longer piece of an answer is split. */
const MAX_PIECE_CHARACTERS = 8 * 1024

/** How an {@link OllamaEngine} is set up. */
export interface OllamaEngineOptions {
  /** The name of the model on the server: `llama3.2:1b`. */
  readonly model: string
  /** The model name in requests. Default: the name on the server. */
  readonly name?: string
  /**
   * The server's address, only from the operator's configuration: `http://127.0.0.1:11434`.
   */
  readonly host: string
  /** Concurrent answers; the server queues those above its own limit. Default: 4. */
  readonly slots?: number
  /**
   * Prompt and answer together, in tokens, at most the context of the model. Default: 4096, as in Ollama;
   * more needs more memory of the server.
   */
  readonly contextTokens?: number
  readonly clock: Clock
}

/**
 * A model of an Ollama server. Token ids, log-probabilities and other data that Ollama does not return are
 * not supported. The tokens of an answer are the pieces that it sends. A prompt that is too long is refused,
 * whereas Ollama by default truncates its beginning (old versions, without the option, still do).
 *
 * @see https://docs.ollama.com/api
 * @example
 * const engine = new OllamaEngine({ model: 'llama3.2:1b', host: 'http://127.0.0.1:11434', clock })
 * for await (const token of engine.generate({ messages, options }, signal)) write(token.text)
 */
export class OllamaEngine extends RemoteEngine {
  readonly #options: OllamaEngineOptions

  /** @throws StarlingError CONFIG_INVALID if the address is invalid */
  constructor(options: OllamaEngineOptions) {
    super(KIND, ollamaServer(options.host, options.clock))
    this.#options = options
  }

  protected override async vectors(
    texts: readonly string[],
    ending: AbortSignal,
  ): Promise<readonly (readonly number[])[]> {
    const { model } = this.#options
    const { client } = ollamaCall(this.server, ending)
    try {
      return (await client.embed({ model, input: [...texts], truncate: false })).embeddings
    } catch (error) {
      throw asStarlingError(error)
    }
  }

  protected override async *answer(
    { messages, options }: GenerateRequest,
    { contextTokens, capabilities }: EngineInfo,
    ending: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { model } = this.#options
    const canThink = capabilities.has('thinking')
    const body = ollamaChatRequest({ model, contextTokens, canThink, messages, options })
    const call = ollamaCall(this.server, ending, { hasSchema: options.jsonSchema !== undefined })
    const answer = new OllamaChatAnswer(messages.length)
    const repetition = watchFor<string>({ messages, options }, (pieces) => pieces.join(''))
    let index = 0
    let thoughts = 0
    try {
      for await (const message of await call.client.chat(body)) {
        const line = ollamaChatLineSchema.parse(message)
        for (const piece of piecesOf(answer.take(line))) {
          // Some servers ignore the limit.
          if (isLimitReached(options.maxTokens, index, thoughts)) {
            return answer.end({ done: true, done_reason: 'length' }, index, thoughts)
          }
          yield { ...piece, tokenId: null, index }
          ending.throwIfAborted()
          index += 1
          if (piece.kind === 'thought') thoughts += 1
          if (repetition?.push(piece.text)) {
            const end = answer.end({ done: true, done_reason: 'length' }, index, thoughts)
            return { ...end, stopReason: 'repetition' }
          }
        }
        if (!line.done) continue
        call.finish()
        return answer.end(line, index, thoughts)
      }
      throw new Error('the package ended a stream without its last line')
    } catch (error) {
      throw asStarlingError(error)
    } finally {
      // Does nothing after the last line.
      call.discard()
    }
  }

  protected override async read(signal: AbortSignal): Promise<EngineInfo> {
    const { model, name, slots, contextTokens } = this.#options
    const facts = await ollamaFactsOf(this.server, model, signal)
    const capabilities: EngineCapability[] = [
      ...(facts.answers ? (['chat', 'seed', 'json-schema'] as const) : []),
      ...(facts.answers && facts.takesTools ? (['tools'] as const) : []),
      ...(facts.answers && facts.thinks ? (['thinking'] as const) : []),
      ...(facts.embeds ? (['embed'] as const) : []),
    ]
    return {
      kind: KIND,
      model: name ?? model,
      modelSha256: facts.sha256,
      fingerprint: null,
      reproducibility: 'none',
      capabilities: new Set(capabilities),
      contextTokens: Math.min(
        contextTokens ?? 4096,
        facts.contextTokens ?? Number.POSITIVE_INFINITY,
      ),
      slots: slots ?? 4,
      memoryBytes: 0,
    }
  }
}

/** Splits pieces that are too long. */
function piecesOf(pieces: readonly AnswerPiece[]): AnswerPiece[] {
  return pieces.flatMap((piece) =>
    textPieces(piece.text, MAX_PIECE_CHARACTERS).map((text) => ({ ...piece, text })),
  )
}

/** The package itself throws errors for incomplete or malformed streams. */
function asStarlingError(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  return new StarlingError(
    'ENGINE_CRASHED',
    'The answer of the Ollama server is incomplete or malformed',
  )
}
