import { z } from 'zod'
import { toolsSchema } from './chat-message.js'
import { jsonObjectSchema } from './json-object.js'
import { PROTOCOL_LIMITS } from './limits.js'

/** Token ids of llama.cpp are signed 32-bit integers. */
export const MAX_TOKEN_ID = 0x7fff_ffff

/** The most of the likeliest tokens at one position that are reported. */
export const MAX_TOP_LOGPROBS = 20

export const tokenIdSchema = z.number().int().min(0).max(MAX_TOKEN_ID)

/** The same seed, prompt, options and model give the same answer, as far as the engine promises. */
export const seedSchema = z.number().int().min(0).max(0xffff_ffff)

/**
 * How the tokens of an answer are chosen. Sampling options that are left out take the defaults of the
 * model (see helpers/generation/sampling-defaults.ts), or of the server that runs it.
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
  /** How much less likely a token gets if it is among the answer's last 64; 1 changes nothing. */
  repeatPenalty: z.number().min(1).max(2).optional(),
  /** Subtracted once from the logit of a token that is among the answer's last 64. */
  presencePenalty: z.number().min(-2).max(2).optional(),
  /** Subtracted from the logit of a token for each of its occurrences among the answer's last 64. */
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
  /** Added to the logits of tokens, by their ids. -100 bans a token, 100 practically forces it. */
  logitBias: z
    .record(z.string().regex(/^(0|[1-9]\d{0,9})$/, 'a token id'), z.number().min(-100).max(100))
    .refine((bias) => Object.keys(bias).length <= 1024, 'at most 1024 tokens can be biased')
    .default({}),
  /** Reports each token's log-probability, and those of this many of the likeliest tokens. */
  logprobs: z.number().int().min(0).max(MAX_TOP_LOGPROBS).optional(),
  /** A JSON schema that the answer must match. */
  jsonSchema: jsonObjectSchema(PROTOCOL_LIMITS.schemaBytes).optional(),
  /** Functions that the model may call instead of answering. */
  tools: toolsSchema.optional(),
  /**
   * Whether the model thinks before it answers. Default: as its chat template says, but false if a JSON
   * schema is given and the template can turn thinking off. NOT_SUPPORTED if the model cannot do it.
   */
  thinking: z.boolean().optional(),
})

/** The tokens of an answer that have been delivered already, from its first one. */
export const resumeFromSchema = z.array(tokenIdSchema).max(PROTOCOL_LIMITS.answerTokens)

export type GenerationOptions = z.infer<typeof generationOptionsSchema>
/** Generation options as callers write them: each may be left out. */
export type GenerationOptionsInput = z.input<typeof generationOptionsSchema>
