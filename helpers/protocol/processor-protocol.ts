import { z } from 'zod'
import { roles } from './call-policy.js'
import { conversationSchema } from './chat-message.js'
import { answerHeadSchema, generationEndSchema, reproducibilitySchema } from './generation.js'
import { generationOptionsSchema, resumeFromSchema } from './generation-options.js'
import { stream, unary } from './method.js'
import { tokenChunks } from './token-chunk.js'

/** The most models that one processor can offer; its load has to fit into one answer. */
export const MAX_OFFERED_MODELS = 64

/** The known properties of a model. */
export const modelDetailsSchema = z.strictObject({
  /** The family of the engine that runs it: `llama.cpp`, `ollama`. */
  engine: z.string().max(64).optional(),
  /** Of the model file. */
  sizeBytes: z.number().int().nonnegative().optional(),
  /** How its weights are stored: `Q8_0`. */
  quantization: z.string().max(64).optional(),
  /** Prompt and answer together, in tokens; known once it is loaded. */
  contextTokens: z.number().int().positive().optional(),
  /** SPDX identifier, or the name that the model's makers use. */
  licence: z.string().max(200).optional(),
  /** The package or hub that it came from. Left out for paths and other addresses. */
  source: z.string().max(1024).optional(),
  /** Its purpose: only `chat` models answer conversations. */
  purpose: z.enum(['chat', 'embedding']).optional(),
})

const durationMs = z.number().nonnegative()

/**
 * A model that a processor offers, and what the expected wait of a request for it depends on: see
 * helpers/routing/expected-wait.ts.
 */
export const offeredModelSchema = modelDetailsSchema.extend({
  name: z.string().min(1).max(200),
  /** Whether it is in memory; otherwise the first request loads it. */
  isLoaded: z.boolean(),
  /** Answers that can be produced concurrently. */
  slots: z.number().int().nonnegative(),
  /** Answers in progress. */
  running: z.number().int().nonnegative(),
  /** Requests that wait for a slot. */
  queued: z.number().int().nonnegative(),
  /** Requests that may wait for a slot; one more is refused. */
  queueLength: z.number().int().nonnegative(),
  /** The mean time for which an answer holds its slot; left out until it has been measured. */
  answerMs: durationMs.optional(),
  /** The estimated time until the model is in memory; 0 if it is. */
  loadMs: durationMs,
  /** The time that it takes to reload the models that would be unloaded for this one. */
  displacedMs: durationMs,
  /**
   * Why a request is likely to fail now. `memory`: the model does not fit beside the models that are
   * in use. `failure`: it could recently not be loaded or reached, or is too large.
   */
  hindrance: z.enum(['memory', 'failure']).optional(),
  /** Known after the first load. */
  reproducibility: reproducibilitySchema.optional(),
})

/** The current load of a processor. */
export const processorLoadSchema = z.strictObject({
  /** In the order of its configuration. Empty while the first one is being prepared. */
  models: z.array(offeredModelSchema).max(MAX_OFFERED_MODELS),
})

export type ModelDetails = z.infer<typeof modelDetailsSchema>
export type OfferedModel = z.infer<typeof offeredModelSchema>
export type ProcessorLoad = z.infer<typeof processorLoadSchema>

/** What a processor answers. */
export const processorProtocol = {
  /** Which models it offers and how busy it is. */
  load: unary({
    name: 'processor.load',
    request: z.strictObject({}),
    response: processorLoadSchema,
    timeoutMs: 2_000,
    idempotent: true,
    isPoll: true,
    callers: roles('gateway', 'client'),
  }),
  /** Answers a conversation. The gateway has admitted the user already. */
  generate: stream({
    name: 'processor.generate',
    request: z.strictObject({
      model: z.string().min(1).max(200),
      messages: conversationSchema,
      options: generationOptionsSchema.prefault({}),
      /** Left out: from the beginning. */
      resumeFrom: resumeFromSchema.optional(),
    }),
    head: answerHeadSchema,
    chunk: tokenChunks,
    end: generationEndSchema,
    timeoutMs: 600_000,
    idempotent: true,
    callers: roles('gateway'),
  }),
}
