import { z } from 'zod'
import { jsonObjectSchema } from './json-object.js'
import { PROTOCOL_LIMITS } from './limits.js'

/** A function call of the model, in the form of the OpenAI API. */
export const toolCallSchema = z.strictObject({
  id: z.string().min(1).max(128),
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().min(1).max(64),
    /** JSON text, as the model wrote it: the caller of the function checks it. */
    arguments: z.string().max(PROTOCOL_LIMITS.toolArgumentsCharacters),
  }),
})

/** A function that the model may call, in the form of the OpenAI API. */
export const toolSchema = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().regex(/^[\w-]{1,64}$/, 'up to 64 letters, digits, _ and -'),
    description: z.string().max(4096).optional(),
    /** The JSON schema of its arguments. Left out: it takes none. */
    parameters: jsonObjectSchema(PROTOCOL_LIMITS.schemaBytes).optional(),
  }),
})

/** One turn of a conversation, in the roles that chat models know. */
export const chatMessageSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: z.string() }),
  z.strictObject({ role: z.literal('user'), content: z.string() }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z.string(),
    /** The thought of the model before its answer. Its chat template decides whether it is used. */
    reasoning: z.string().optional(),
    /** The function calls of this turn. */
    toolCalls: z.array(toolCallSchema).min(1).max(PROTOCOL_LIMITS.tools).optional(),
  }),
  z.strictObject({
    role: z.literal('tool'),
    /** The result of a function. */
    content: z.string(),
    /** The call that this answers. */
    toolCallId: z.string().min(1).max(128),
  }),
])

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

/** The functions that one request offers. Their size is bounded by that of the request. */
export const toolsSchema = z
  .array(toolSchema)
  .max(PROTOCOL_LIMITS.tools)
  .refine(
    (tools) => new Set(tools.map((tool) => tool.function.name)).size === tools.length,
    'two tools have the same name',
  )

/** The size of a conversation: all contents, thoughts and calls of its messages together, in UTF-8. */
export function promptBytes(messages: readonly ChatMessage[]): number {
  return messages.reduce(
    (sum, message) => sum + Buffer.byteLength(message.content) + moreBytes(message),
    0,
  )
}

/** The size of what only an assistant's messages have. */
function moreBytes(message: ChatMessage): number {
  if (message.role !== 'assistant') return 0
  const { reasoning = '', toolCalls = [] } = message
  return toolCalls.reduce(
    (sum, call) => sum + call.function.name.length + Buffer.byteLength(call.function.arguments),
    Buffer.byteLength(reasoning),
  )
}

export type ChatMessage = z.infer<typeof chatMessageSchema>
export type ToolCall = z.infer<typeof toolCallSchema>
export type Tool = z.infer<typeof toolSchema>
