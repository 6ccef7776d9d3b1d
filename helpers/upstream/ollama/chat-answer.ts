import { z } from 'zod'
import { type AnswerPiece, ThoughtPieces } from '../../chat/thought-pieces.js'
import type { ToolCall } from '../../protocol/chat-message.js'
import { toolCallSchema } from '../../protocol/chat-message.js'
import type { GenerationEnd } from '../../protocol/generation.js'
import { PROTOCOL_LIMITS } from '../../protocol/limits.js'

const count = z.number().int().nonnegative()
const nanoseconds = z.number().nonnegative()

/** One line of the answer of `/api/chat`: the fields that are used. */
export const ollamaChatLineSchema = z.object({
  message: z
    .object({
      content: z.string().default(''),
      thinking: z
        .string()
        .nullish()
        .transform((thinking) => thinking ?? ''),
      tool_calls: z
        .array(
          z.object({
            function: z.object({
              name: z.string(),
              arguments: z.record(z.string(), z.unknown()).default({}),
            }),
          }),
        )
        .default([]),
    })
    .optional(),
  done: z.boolean(),
  done_reason: z.string().optional(),
  prompt_eval_count: count.optional(),
  prompt_eval_duration: nanoseconds.optional(),
  eval_count: count.optional(),
  eval_duration: nanoseconds.optional(),
})

export type OllamaChatLine = z.infer<typeof ollamaChatLineSchema>

const NANOSECONDS_PER_MS = 1e6

/** Collects the content of an answer's lines. */
export class OllamaChatAnswer {
  readonly #callPrefix: string
  readonly #calls: ToolCall[] = []
  readonly #pieces = new ThoughtPieces()

  /**
   * @param conversationLength messages of the prompt: makes the ids of calls unique within the
   * conversation
   */
  constructor(conversationLength: number) {
    this.#callPrefix = `call_${conversationLength}_`
  }

  /**
   * The pieces of text in a line.
   *
   * @throws ZodError when it is not a line of such an answer
   */
  take(line: OllamaChatLine): AnswerPiece[] {
    for (const { function: called } of line.message?.tool_calls ?? []) {
      const call = {
        // Ollama gives its calls no ids.
        id: `${this.#callPrefix}${this.#calls.length}`,
        type: 'function',
        function: { name: called.name, arguments: JSON.stringify(called.arguments) },
      }
      if (this.#calls.length < PROTOCOL_LIMITS.tools) this.#calls.push(toolCallSchema.parse(call))
    }
    const { thinking = '', content = '' } = line.message ?? {}
    const pieces = [...this.#pieces.thought(thinking), ...this.#pieces.answer(content)]
    return line.done ? [...pieces, ...this.#pieces.end()] : pieces
  }

  /**
   * The end of the answer.
   *
   * @param last the last line, with `done`
   * @param pieces how many pieces of text were delivered
   * @param thoughts how many of them belong to the thought
   */
  end(last: OllamaChatLine, pieces: number, thoughts = 0): GenerationEnd {
    const isLength = last.done_reason === 'length'
    return {
      finishReason: this.#calls.length > 0 ? 'tool_calls' : isLength ? 'length' : 'stop',
      promptTokens: last.prompt_eval_count ?? 0,
      cachedTokens: 0,
      completionTokens: Math.max(last.eval_count ?? 0, pieces),
      ...(thoughts > 0 && { thoughtTokens: thoughts }),
      ...(this.#calls.length > 0 && { toolCalls: this.#calls }),
      timings: {
        promptMs: (last.prompt_eval_duration ?? 0) / NANOSECONDS_PER_MS,
        generationMs: (last.eval_duration ?? 0) / NANOSECONDS_PER_MS,
      },
    }
  }
}
