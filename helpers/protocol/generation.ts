import { z } from 'zod'
import { PROTOCOL_LIMITS } from './limits.js'

/** One turn of a conversation, in the roles that chat models know. */
export const chatMessageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string(),
})

/** A conversation, oldest message first; the last one is answered. */
export const conversationSchema = z
  .array(chatMessageSchema)
  .min(1, 'a conversation needs at least one message')
  .max(PROTOCOL_LIMITS.promptMessages)
  .refine(
    (messages) => messages.some((message) => message.content.trim() !== ''),
    'the prompt is empty',
  )
  .refine(
    (messages) => promptBytes(messages) <= PROTOCOL_LIMITS.promptBytes,
    `the prompt is longer than ${PROTOCOL_LIMITS.promptBytes} bytes`,
  )

/** The size of a conversation: all message contents together, in UTF-8. */
export function promptBytes(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
}

/** How an answer is chosen from what the model finds likely. */
export const generationOptionsSchema = z.strictObject({
  /** The most tokens the answer may have. */
  maxTokens: z.number().int().min(1).max(32_768).default(512),
  /** 0 always takes the likeliest token; higher is more varied. */
  temperature: z.number().min(0).max(2).default(0),
  /** Only the likeliest tokens that together reach this probability are considered. */
  topP: z.number().gt(0).max(1).default(1),
  /** Only this many of the likeliest tokens are considered; 0 considers all. */
  topK: z.number().int().min(0).max(1000).default(0),
  /** How much less likely a token gets by standing among the answer's last 64; 1 changes nothing. */
  repeatPenalty: z.number().min(1).max(2).default(1.1),
  /** The same seed, prompt and model give the same answer. */
  seed: z.number().int().min(0).max(0xffff_ffff).default(0),
})

/** One token of an answer. */
export const tokenSchema = z.strictObject({
  /** The text that this token completes; empty while a character is still incomplete. */
  text: z.string(),
  tokenId: z.number().int().nonnegative(),
  /** The token's position in the answer, from 0. */
  index: z.number().int().nonnegative(),
})

/** How an answer ended. */
export const generationEndSchema = z.strictObject({
  /** `stop`: the model ended its answer. `length`: maxTokens or the context was reached. */
  finishReason: z.enum(['stop', 'length']),
  promptTokens: z.number().int().nonnegative(),
  completionTokens: z.number().int().nonnegative(),
  timings: z.strictObject({
    /** From the start of the work on the prompt to its end. */
    promptMs: z.number().nonnegative(),
    /** From then to the last token. */
    generationMs: z.number().nonnegative(),
  }),
})

export type ChatMessage = z.infer<typeof chatMessageSchema>
export type GenerationOptions = z.infer<typeof generationOptionsSchema>
/** Generation options as a caller writes them: each may be left out. */
export type GenerationOptionsInput = z.input<typeof generationOptionsSchema>
export type Token = z.infer<typeof tokenSchema>
export type GenerationEnd = z.infer<typeof generationEndSchema>
