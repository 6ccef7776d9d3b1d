import type { ChatMessage } from '../protocol/chat-message.js'
import { type GenerationOptions, generationOptionsSchema } from '../protocol/generation.js'

/** What options are when nobody sets them. */
const DEFAULTS = generationOptionsSchema.parse({})

/** A conversation for `/v1/chat/completions`, answered as a stream. */
export interface OpenaiChatRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly options: GenerationOptions
}

/**
 * The body of a request to `/v1/chat/completions`. What the OpenAI API itself does not know is only
 * sent when the caller asks for it: OpenAI refuses what it does not know, vLLM, llama-server and LM
 * Studio understand it. For the same reason a repetition penalty that nobody set is left out.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export function openaiChatRequest({ model, messages, options }: OpenaiChatRequest) {
  const { logprobs, jsonSchema, tools, stop, logitBias, repeatPenalty } = options
  return {
    model,
    messages: messages.map(openaiMessage),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    top_p: options.topP,
    presence_penalty: options.presencePenalty,
    frequency_penalty: options.frequencyPenalty,
    seed: options.seed,
    ...(stop.length > 0 && { stop }),
    ...(Object.keys(logitBias).length > 0 && { logit_bias: logitBias }),
    ...(logprobs !== undefined && { logprobs: true, top_logprobs: logprobs }),
    ...(jsonSchema !== undefined && {
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'answer', strict: true, schema: jsonSchema },
      },
    }),
    ...(tools !== undefined && tools.length > 0 && { tools }),
    ...(options.topK !== DEFAULTS.topK && { top_k: options.topK }),
    ...(options.minP !== DEFAULTS.minP && { min_p: options.minP }),
    // vLLM's name, and the one of llama-server and LM Studio.
    ...(repeatPenalty !== DEFAULTS.repeatPenalty &&
      repeatPenalty !== 1 && {
        repetition_penalty: repeatPenalty,
        repeat_penalty: repeatPenalty,
      }),
  }
}

function openaiMessage(message: ChatMessage) {
  const { role, content } = message
  if (role === 'tool') return { role, content, tool_call_id: message.toolCallId }
  if (role !== 'assistant' || message.toolCalls === undefined) return { role, content }
  return { role, content, tool_calls: message.toolCalls }
}
