import { StarlingError } from '../../errors/starling-error.js'
import { mostTokens } from '../../generation/answer-limit.js'
import type { ChatMessage, Tool, ToolCall } from '../../protocol/chat-message.js'
import type { GenerationOptions } from '../../protocol/generation-options.js'

/** Tokens of the answer, counted from its end, that repetition is measured against. */
const REPETITION_WINDOW_TOKENS = 64

/** A conversation for Ollama's `/api/chat`, answered as a stream. */
export interface OllamaChatRequest {
  readonly model: string
  /** Prompt and answer together, in tokens: Ollama reloads the model if this changes. */
  readonly contextTokens: number
  /** Whether the model can think. */
  readonly canThink: boolean
  readonly messages: readonly ChatMessage[]
  readonly options: GenerationOptions
}

/**
 * The body of a request to `/api/chat`. Only options that the request sets are sent: for the others the
 * server uses the defaults in its Modelfile. The maximum length of answer and context is always sent.
 *
 * @see https://docs.ollama.com/api/chat
 * @throws StarlingError INVALID_REQUEST if the arguments of a call in the conversation are not a JSON
 *   object, or a result belongs to no call
 */
export function ollamaChatRequest(request: OllamaChatRequest) {
  const { model, contextTokens, canThink, messages, options } = request
  const { temperature, topK, topP, minP, seed, stop } = options
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options
  const penalties = {
    ...(repeatPenalty !== undefined && { repeat_penalty: repeatPenalty }),
    ...(presencePenalty !== undefined && { presence_penalty: presencePenalty }),
    ...(frequencyPenalty !== undefined && { frequency_penalty: frequencyPenalty }),
  }
  // With a schema, Ollama starts the answer with the JSON, so the model cannot think first.
  const think = options.thinking ?? (options.jsonSchema === undefined ? undefined : false)
  return {
    model,
    messages: messages.map((message, index) => ollamaMessage(message, messages.slice(0, index))),
    stream: true as const,
    // By default, Ollama drops the beginning of a prompt that is too long, without an error.
    truncate: false,
    // Ollama refuses this field for models that do not think.
    ...(canThink && think !== undefined && { think }),
    ...(options.jsonSchema !== undefined && { format: options.jsonSchema }),
    ...(options.tools !== undefined &&
      options.tools.length > 0 && { tools: options.tools.map(ollamaTool) }),
    options: {
      num_ctx: contextTokens,
      num_predict: mostTokens(options.maxTokens, canThink),
      ...(temperature !== undefined && { temperature }),
      ...(topK !== undefined && { top_k: topK }),
      ...(topP !== undefined && { top_p: topP }),
      ...(minP !== undefined && { min_p: minP }),
      ...(Object.keys(penalties).length > 0 && { repeat_last_n: REPETITION_WINDOW_TOKENS }),
      ...penalties,
      ...(seed !== undefined && { seed }),
      ...(stop.length > 0 && { stop }),
    },
  }
}

function ollamaMessage(message: ChatMessage, earlier: readonly ChatMessage[]) {
  const { role, content } = message
  if (role === 'tool') {
    return { role, content, tool_name: nameOfCall(message.toolCallId, earlier) }
  }
  if (role !== 'assistant') return { role, content }
  const { reasoning, toolCalls } = message
  return {
    role,
    content,
    ...(reasoning !== undefined && { thinking: reasoning }),
    ...(toolCalls && {
      tool_calls: toolCalls.map(({ function: { name, arguments: text } }) => ({
        function: { name, arguments: objectIn(name, text) },
      })),
    }),
  }
}

function ollamaTool({ type, function: { name, description, parameters } }: Tool) {
  const schema: object = parameters ?? { type: 'object', properties: {} }
  return {
    type,
    function: { name, ...(description !== undefined && { description }), parameters: schema },
  }
}

/** Ollama identifies calls by the names of their functions. */
function nameOfCall(id: string, earlier: readonly ChatMessage[]): string {
  const calls = earlier.flatMap((message): readonly ToolCall[] =>
    message.role === 'assistant' ? (message.toolCalls ?? []) : [],
  )
  const name = calls.findLast((call) => call.id === id)?.function.name
  if (name !== undefined) return name
  throw new StarlingError('INVALID_REQUEST', `No earlier call has the id of a tool result: ${id}`)
}

function objectIn(name: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Reported below: it is not an object.
  }
  throw new StarlingError(
    'INVALID_REQUEST',
    `The arguments of a call of ${name} are not a JSON object`,
  )
}
