import { z } from 'zod'
import { type AnswerPiece, ThoughtPieces } from '../../chat/thought-pieces.js'
import { type ToolCall, toolCallSchema } from '../../protocol/chat-message.js'
import type { GenerationEnd, Token, TokenLogprob } from '../../protocol/generation.js'
import { PROTOCOL_LIMITS } from '../../protocol/limits.js'
import { textPieces } from '../../text/text-pieces.js'

/** Of one piece of an answer; a longer one is passed on as several. */
const MAX_PIECE_CHARACTERS = 8 * 1024

/** The most of the likeliest tokens that a token names. */
const MAX_TOP_LOGPROBS = 20

const count = z.number().int().nonnegative()

const logprobFields = {
  token: z.string(),
  logprob: z.number(),
  /** llama-server gives it, the others do not. */
  id: count.max(0x7fff_ffff).optional(),
}

/** One event of the answer: what is known of it and used. */
export const openaiChunkSchema = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            /** DeepSeek's name, and the one of most servers. */
            reasoning_content: z.string().nullish(),
            /** What vLLM calls it now, and OpenRouter. */
            reasoning: z.string().nullish(),
            tool_calls: z
              .array(
                z.object({
                  index: count.optional(),
                  id: z.string().nullish(),
                  function: z
                    .object({ name: z.string().nullish(), arguments: z.string().nullish() })
                    .nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
        logprobs: z
          .object({
            content: z
              .array(
                z.object({
                  ...logprobFields,
                  top_logprobs: z.array(z.object(logprobFields)).nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
      }),
    )
    .default([]),
  usage: z
    .object({
      prompt_tokens: count,
      completion_tokens: count,
      completion_tokens_details: z.object({ reasoning_tokens: count.nullish() }).nullish(),
      prompt_tokens_details: z.object({ cached_tokens: count.nullish() }).nullish(),
    })
    .nullish(),
})

export type OpenaiChunk = z.infer<typeof openaiChunkSchema>
type Choice = OpenaiChunk['choices'][number]
type Logprob = NonNullable<NonNullable<Choice['logprobs']>['content']>[number]

/** A call whose parts are still arriving. */
interface PartialCall {
  id: string
  name: string
  arguments: string
}

/** Puts the events of one answer together: tokens as they come, and the end. */
export class OpenaiChatAnswer {
  readonly #callPrefix: string
  readonly #topLogprobs: number | undefined
  readonly #calls = new Map<number, PartialCall>()
  readonly #pieces = new ThoughtPieces()
  #usage: OpenaiChunk['usage'] = null
  #finishReason: string | null = null
  #tokens = 0
  #thoughts = 0

  /**
   * @param conversationLength messages of the prompt: makes the ids of calls unique within it, for
   *   servers that give them none
   * @param topLogprobs how many of the likeliest tokens were asked for; undefined: no log-probabilities
   */
  constructor(conversationLength: number, topLogprobs: number | undefined) {
    this.#callPrefix = `call_${conversationLength}_`
    this.#topLogprobs = topLogprobs
  }

  /** Whether the model has said why it stopped. */
  get hasEnded(): boolean {
    return this.#finishReason !== null
  }

  /** How many tokens were thought. */
  get thoughts(): number {
    return this.#thoughts
  }

  /**
   * The tokens that an event brings.
   *
   * @throws RangeError when it asks for too many functions, or with arguments that are too long
   */
  take({ choices, usage }: OpenaiChunk): Token[] {
    if (usage) this.#usage = usage
    const [choice] = choices
    if (choice === undefined) return []
    for (const part of choice.delta?.tool_calls ?? []) this.#takeCall(part)
    this.#finishReason = choice.finish_reason ?? this.#finishReason
    const tokens = this.#tokensOf(choice)
    if (this.#finishReason === null) return tokens
    return [...tokens, ...this.#pieces.end().flatMap((piece) => this.#plain(piece))]
  }

  /**
   * The end of the answer.
   *
   * @param timings measured by whoever read it: servers do not agree on telling
   * @throws ZodError when a call of a function is not whole
   */
  end(timings: GenerationEnd['timings']): GenerationEnd {
    const toolCalls = [...this.#calls.values()].map(({ id, name, arguments: text }) =>
      toolCallSchema.parse({ id, type: 'function', function: { name, arguments: text } }),
    )
    const { prompt_tokens, completion_tokens, prompt_tokens_details } = this.#usage ?? {}
    const completionTokens = Math.max(completion_tokens ?? 0, this.#tokens)
    const reasoned = this.#usage?.completion_tokens_details?.reasoning_tokens ?? 0
    const thoughtTokens = Math.min(Math.max(reasoned, this.#thoughts), completionTokens)
    return {
      finishReason: this.#reason(toolCalls),
      promptTokens: prompt_tokens ?? 0,
      cachedTokens: prompt_tokens_details?.cached_tokens ?? 0,
      completionTokens,
      ...(thoughtTokens > 0 && { thoughtTokens }),
      ...(toolCalls.length > 0 && { toolCalls }),
      timings,
    }
  }

  #reason(toolCalls: readonly ToolCall[]): GenerationEnd['finishReason'] {
    if (toolCalls.length > 0) return 'tool_calls'
    return this.#finishReason === 'length' ? 'length' : 'stop'
  }

  #takeCall(part: NonNullable<NonNullable<Choice['delta']>['tool_calls']>[number]): void {
    // Without an index, each part is a call of its own.
    const index = part.index ?? this.#calls.size
    const call = this.#calls.get(index) ?? {
      id: `${this.#callPrefix}${index}`,
      name: '',
      arguments: '',
    }
    if (part.id) call.id = part.id
    call.name ||= part.function?.name ?? ''
    call.arguments += part.function?.arguments ?? ''
    this.#calls.set(index, call)
    if (this.#calls.size > PROTOCOL_LIMITS.tools) throw new RangeError('too many calls')
    if (call.arguments.length > PROTOCOL_LIMITS.toolArgumentsCharacters) {
      throw new RangeError('the arguments of a call are too long')
    }
  }

  #tokensOf({ delta, logprobs }: Choice): Token[] {
    const thought = delta?.reasoning_content ?? delta?.reasoning ?? ''
    const text = delta?.content ?? ''
    const known = logprobs?.content ?? []
    if (this.#topLogprobs === undefined || known.length === 0) {
      const pieces = [...this.#pieces.thought(thought), ...this.#pieces.answer(text)]
      return pieces.flatMap((piece) => this.#plain(piece))
    }
    // One event may bring several tokens. Where their texts are not what it says (a character over
    // several of them, a part held back), the last one brings all of it.
    const whole = thought + text
    const isWhole = known.map(({ token }) => token).join('') === whole
    return known.flatMap((entry, position) => {
      const own = isWhole ? entry.token : position === known.length - 1 ? whole : ''
      const pieces = thought === '' ? this.#pieces.answer(own) : this.#pieces.thought(own)
      const last = pieces.pop() ?? { text: '' }
      const token = this.#token({
        ...last,
        tokenId: entry.id ?? null,
        logprob: Math.min(0, entry.logprob),
        topLogprobs: topOf(entry, this.#topLogprobs ?? 0),
      })
      return [...pieces.flatMap((piece) => this.#plain(piece)), token]
    })
  }

  #plain(piece: AnswerPiece): Token[] {
    return textPieces(piece.text, MAX_PIECE_CHARACTERS).map((text) =>
      this.#token({ ...piece, text }),
    )
  }

  #token(fields: Omit<Token, 'index' | 'tokenId'> & { tokenId?: number | null }): Token {
    const token = { tokenId: null, ...fields, index: this.#tokens }
    this.#tokens += 1
    if (fields.kind === 'thought') this.#thoughts += 1
    return token
  }
}

function topOf({ top_logprobs }: Logprob, most: number): TokenLogprob[] {
  return (top_logprobs ?? [])
    .map(({ token, logprob, id }) => ({
      tokenId: id ?? null,
      text: token,
      logprob: Math.min(0, logprob),
    }))
    .sort((one, other) => other.logprob - one.logprob)
    .slice(0, Math.min(most, MAX_TOP_LOGPROBS))
}
