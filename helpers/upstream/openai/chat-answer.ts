import { z } from 'zod'
import { type AnswerPiece, ThoughtPieces } from '../../chat/thought-pieces.js'
import { type ToolCall, toolCallSchema } from '../../protocol/chat-message.js'
import type { GenerationEnd, Token, TokenLogprob } from '../../protocol/generation.js'
import { PROTOCOL_LIMITS } from '../../protocol/limits.js'
import { textPieces } from '../../text/text-pieces.js'

/** The longest piece of an answer; longer ones are split. */
const MAX_PIECE_CHARACTERS = 8 * 1024

/** The most alternatives (likeliest tokens) of one token. */
const MAX_TOP_LOGPROBS = 20

const count = z.number().int().nonnegative()

const logprobFields = {
  token: z.string(),
  logprob: z.number(),
  /** Only llama-server sends it. */
  id: count.max(0x7fff_ffff).optional(),
}

/** One event of the answer: the fields that are used. */
export const openaiChunkSchema = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            /** The name that DeepSeek and most servers use. */
            reasoning_content: z.string().nullish(),
            /** The name that vLLM now uses, and OpenRouter. */
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

/** A call that has not arrived completely. */
interface PartialCall {
  id: string
  name: string
  arguments: string
}

/** Collects the events of one answer: its tokens as they arrive, and its end. */
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
   * @param conversationLength messages of the prompt: makes the ids of calls unique within the
   *   conversation, for servers that send none
   * @param topLogprobs how many of the likeliest tokens were requested; undefined: no log-probabilities
   */
  constructor(conversationLength: number, topLogprobs: number | undefined) {
    this.#callPrefix = `call_${conversationLength}_`
    this.#topLogprobs = topLogprobs
  }

  /** Whether the finish reason has arrived. */
  get hasEnded(): boolean {
    return this.#finishReason !== null
  }

  /** How many tokens belong to the thought. */
  get thoughts(): number {
    return this.#thoughts
  }

  /**
   * The tokens in an event.
   *
   * @throws RangeError if it has too many calls, or arguments that are too long
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
   * @param timings measured by the reader: servers report them in different ways
   * @throws ZodError if a function call is incomplete
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
    // Without an index, each part is a separate call.
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
    // One event may bring several tokens. If their texts do not add up to its text (a character of
    // several tokens, a part held back), the last one gets all of it.
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

function topOf({ top_logprobs }: Logprob, max: number): TokenLogprob[] {
  return (top_logprobs ?? [])
    .map(({ token, logprob, id }) => ({
      tokenId: id ?? null,
      text: token,
      logprob: Math.min(0, logprob),
    }))
    .sort((one, other) => other.logprob - one.logprob)
    .slice(0, Math.min(max, MAX_TOP_LOGPROBS))
}
