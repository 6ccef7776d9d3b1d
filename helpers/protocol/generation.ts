import { z } from 'zod'
import { toolCallSchema, toolsSchema } from './chat-message.js'
import { jsonObjectSchema } from './json-object.js'
import { PROTOCOL_LIMITS } from './limits.js'

const tokenIdSchema = z.number().int().min(0).max(0x7fff_ffff)

/** The same seed, prompt, options and model give the same answer, as far as the engine promises. */
export const seedSchema = z.number().int().min(0).max(0xffff_ffff)

/**
 * What an engine promises if the same request is sent again with the same seed. `exact`: the same
 * tokens, alone, beside other answers and resumed from any position. `machine`: the same tokens on the
 * same processor without other answers. `none`: nothing.
 */
export const reproducibilitySchema = z.enum(['exact', 'machine', 'none'])

/**
 * How an answer is chosen from what the model finds likely. Sampling options that are left out take the
 * defaults of the model (see helpers/generation/sampling-defaults.ts), or of the server that runs it.
 */
export const generationOptionsSchema = z.strictObject({
  /**
   * The most tokens that the model may generate, its thought included. Default: see
   * helpers/generation/answer-limit.ts.
   */
  maxTokens: z.number().int().min(1).max(PROTOCOL_LIMITS.answerTokens).optional(),
  /** 0 always takes the likeliest token; higher is more varied. */
  temperature: z.number().min(0).max(2).optional(),
  /** Only the likeliest tokens that together reach this probability are considered. */
  topP: z.number().gt(0).max(1).optional(),
  /** Only this many of the likeliest tokens are considered; 0 considers all. */
  topK: z.number().int().min(0).max(1000).optional(),
  /** Only tokens at least this probable, relative to the likeliest one, are considered. */
  minP: z.number().min(0).max(1).optional(),
  /** How much less likely a token gets by standing among the answer's last 64; 1 changes nothing. */
  repeatPenalty: z.number().min(1).max(2).optional(),
  /** Taken from a token's logit once when it stands among the answer's last 64. */
  presencePenalty: z.number().min(-2).max(2).optional(),
  /** Taken from a token's logit for each time that it stands among the answer's last 64. */
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  /**
   * Subtracted from the logit of a token that continues a sequence of the answer as it continued
   * before. 0: nothing is subtracted. See helpers/generation/dry-penalty.ts.
   */
  dryMultiplier: z.number().min(0).max(10).optional(),
  /** The factor by which it grows with each token of the sequence. */
  dryBase: z.number().min(1).max(4).optional(),
  /** Sequences up to this length may be repeated freely. */
  dryAllowedLength: z.number().int().min(1).max(32).optional(),
  /**
   * Whether an answer may go on once it only repeats itself. Default: as the processor is configured.
   * See helpers/generation/repetition-watch.ts.
   */
  allowRepetition: z.boolean().optional(),
  /** If left out, the gateway draws one. */
  seed: seedSchema.optional(),
  /** The answer ends where one of these would begin; it is not part of it. */
  stop: z.array(z.string().min(1).max(256)).max(16).default([]),
  /** Added to the logits of tokens, by their ids. -100 bans a token, 100 all but forces it. */
  logitBias: z
    .record(z.string().regex(/^(0|[1-9]\d{0,9})$/, 'a token id'), z.number().min(-100).max(100))
    .refine((bias) => Object.keys(bias).length <= 1024, 'at most 1024 tokens can be biased')
    .default({}),
  /** Report each token's log-probability, and those of this many of the likeliest tokens. */
  logprobs: z.number().int().min(0).max(20).optional(),
  /** A JSON schema that the answer is held to. */
  jsonSchema: jsonObjectSchema(PROTOCOL_LIMITS.schemaBytes).optional(),
  /** Functions that the model may ask for instead of answering. */
  tools: toolsSchema.optional(),
  /**
   * Whether the model thinks before it answers. Default: as its chat template says, but false if a JSON
   * schema is given and the template can turn thinking off. NOT_SUPPORTED if the model cannot do it.
   */
  thinking: z.boolean().optional(),
})

/** The tokens of an answer that have been delivered already, from its first one. */
export const resumeFromSchema = z.array(tokenIdSchema).max(PROTOCOL_LIMITS.answerTokens)

/** How probable a token was: the natural logarithm of its probability, at most 0. */
const logprobSchema = z.strictObject({
  /** Null from an engine that does not tell. */
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
  /** Null from an engine that does not tell. */
  tokenId: tokenIdSchema.nullable(),
  /** The token's position in the answer, from 0. */
  index: z.number().int().nonnegative(),
  /** When the request asked for it. */
  logprob: z.number().max(0).optional(),
  /** The likeliest tokens at this position, the likeliest first. When the request asked for them. */
  topLogprobs: z.array(logprobSchema).max(20).optional(),
})

/** How an answer ended. */
export const generationEndSchema = z.strictObject({
  /**
   * `stop`: the model ended its answer, or a stop string did. `length`: the answer was cut off, because
   * maxTokens or the context was reached, or for what `stopReason` says. `tool_calls`: the model asks
   * for functions.
   */
  finishReason: z.enum(['stop', 'length', 'tool_calls']),
  /** More about `length`. `repetition`: the answer only repeated itself and was ended for that. */
  stopReason: z.literal('repetition').optional(),
  promptTokens: z.number().int().nonnegative(),
  /** How many of the prompt's tokens did not have to be computed, because they were still known. */
  cachedTokens: z.number().int().nonnegative(),
  /** Of the whole answer with its thought, and with what it was resumed from. */
  completionTokens: z.number().int().nonnegative(),
  /** How many of them were thought. Left out: none. */
  thoughtTokens: z.number().int().positive().optional(),
  /** When it ended with `tool_calls`. */
  toolCalls: z.array(toolCallSchema).max(PROTOCOL_LIMITS.tools).optional(),
  timings: z.strictObject({
    /** From the start of the work on the prompt to its end. */
    promptMs: z.number().nonnegative(),
    /** From then to the last token. */
    generationMs: z.number().nonnegative(),
  }),
})

export type GenerationOptions = z.infer<typeof generationOptionsSchema>
/** Generation options as a caller writes them: each may be left out. */
export type GenerationOptionsInput = z.input<typeof generationOptionsSchema>
export type Reproducibility = z.infer<typeof reproducibilitySchema>
export type Token = z.infer<typeof tokenSchema>
export type TokenLogprob = z.infer<typeof logprobSchema>
export type GenerationEnd = z.infer<typeof generationEndSchema>
