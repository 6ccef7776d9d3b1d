import { z } from 'zod'
import {
  conversationSchema,
  generationEndSchema,
  generationOptionsSchema,
  tokenSchema,
} from './generation.js'
import { stream, unary } from './method.js'

/** What a processor can do right now. */
export const processorLoadSchema = z.strictObject({
  /** The names of the models that it has loaded; none while it still prepares. */
  models: z.array(z.string().max(200)).max(64),
  /** Answers that it can produce side by side. */
  slots: z.number().int().nonnegative(),
  /** Answers in the making. */
  running: z.number().int().nonnegative(),
  /** Requests that wait for a slot. */
  queued: z.number().int().nonnegative(),
  /** Prompt and answer together, in tokens; known once a model is loaded. */
  contextTokens: z.number().int().positive().optional(),
})

export type ProcessorLoad = z.infer<typeof processorLoadSchema>

/** What a processor answers. */
export const processorProtocol = {
  /** Which models it serves and how busy it is. */
  load: unary({
    name: 'processor.load',
    request: z.strictObject({}),
    response: processorLoadSchema,
    timeoutMs: 2_000,
    idempotent: true,
    isPoll: true,
    callers: ['gateway', 'client'],
  }),
  /** Answers a conversation. The gateway has admitted the user already. */
  generate: stream({
    name: 'processor.generate',
    request: z.strictObject({
      model: z.string().min(1).max(200),
      messages: conversationSchema,
      options: generationOptionsSchema.prefault({}),
    }),
    chunk: tokenSchema,
    end: generationEndSchema,
    timeoutMs: 600_000,
    idempotent: true,
    callers: ['gateway'],
  }),
}
