import { z } from 'zod'
import { toolCallSchema } from './chat-message.js'
import { MAX_TOP_LOGPROBS, tokenIdSchema } from './generation-options.js'
import { PROTOCOL_LIMITS } from './limits.js'

/**
 * What an engine promises if the same request is sent again with the same seed. `exact`: the same
 * tokens, alone, beside other answers and resumed from any position. `machine`: the same tokens on the
 * same processor without other answers. `none`: nothing.
 */
export const reproducibilitySchema = z.enum(['exact', 'machine', 'none'])

/** How probable a token was: the natural logarithm of its probability, at most 0. */
const logprobSchema = z.strictObject({
  /** Null if the engine does not report it. */
  tokenId: tokenIdSchema.nullable(),
  text: z.string(),
  logprob: z.number().max(0),
})

/** One token of an answer. */
export const tokenSchema = z.strictObject({
  /** `thought`: part of what the model thinks before it answers. Left out: part of the answer. */
  kind: z.literal('thought').optional(),
  /**
   * The text that this token completes; empty while a character is still incomplete, or while it
   * may be the beginning of a stop string.
   */
  text: z.string(),
  /** Null if the engine does not report it. */
  tokenId: tokenIdSchema.nullable(),
  /** The token's position in the answer, from 0. */
  index: z.number().int().nonnegative(),
  /** Only if the request asked for it. */
  logprob: z.number().max(0).optional(),
  /** The likeliest tokens at this position, the likeliest first. Only if the request asked for them. */
  topLogprobs: z.array(logprobSchema).max(MAX_TOP_LOGPROBS).optional(),
})

/** What an answer begins with. */
export const answerHeadSchema = z.strictObject({
  /** What the engine promises of the answer. */
  reproducibility: reproducibilitySchema.optional(),
  /** SHA-256 over everything that the answer depends on, hexadecimal; left out if the engine does not know it. */
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
})

/** How an answer ended. */
export const generationEndSchema = z.strictObject({
  /**
   * `stop`: the model ended its answer, or a stop string did. `length`: the answer was cut off, because
   *   maxTokens or the context was reached, or for the reason in `stopReason`. `tool_calls`: the model
   *   calls functions.
   */
  finishReason: z.enum(['stop', 'length', 'tool_calls']),
  /** More about `length`. `repetition`: the answer only repeated itself and was ended for that. */
  stopReason: z.literal('repetition').optional(),
  promptTokens: z.number().int().nonnegative(),
  /** How many of the prompt's tokens were taken from the cache instead of computed. */
  cachedTokens: z.number().int().nonnegative(),
  /** Of the whole answer, including its thought and the tokens that it was resumed from. */
  completionTokens: z.number().int().nonnegative(),
  /** How many of them belong to the thought. Left out: none. */
  thoughtTokens: z.number().int().positive().optional(),
  /** Only if it ended with `tool_calls`. */
  toolCalls: z.array(toolCallSchema).max(PROTOCOL_LIMITS.tools).optional(),
  timings: z.strictObject({
    /** From the start of the work on the prompt to its end. */
    promptMs: z.number().nonnegative(),
    /** From the end of the prompt to the last token. */
    generationMs: z.number().nonnegative(),
  }),
})

export type Reproducibility = z.infer<typeof reproducibilitySchema>
export type Token = z.infer<typeof tokenSchema>
export type TokenLogprob = z.infer<typeof logprobSchema>
export type AnswerHead = z.infer<typeof answerHeadSchema>
export type GenerationEnd = z.infer<typeof generationEndSchema>
