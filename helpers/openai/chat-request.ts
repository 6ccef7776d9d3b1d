import type { ChatMessage } from '../protocol/chat-message.js'
import type { GenerationOptions } from '../protocol/generation.js'

/** A conversation for `/v1/chat/completions`, answered as a stream. */
export interface OpenaiChatRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly options: GenerationOptions
}

/**
 * The body of a request to `/v1/chat/completions`. Of the options only those are said that the request
 * sets: for the others the server does as is best for its model. What the OpenAI API itself does not know
 * is refused by OpenAI; vLLM, llama-server and LM Studio understand it.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export function openaiChatRequest({ model, messages, options }: OpenaiChatRequest) {
  const { logprobs, jsonSchema, tools, stop, logitBias, seed } = options
  const { temperature, topP, topK, minP } = options
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options
  return {
    model,
    messages: messages.map(openaiMessage),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: options.maxTokens,
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(presencePenalty !== undefined && { presence_penalty: presencePenalty }),
    ...(frequencyPenalty !== undefined && { frequency_penalty: frequencyPenalty }),
    ...(seed !== undefined && { seed }),
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
    ...(topK !== undefined && { top_k: topK }),
    ...(minP !== undefined && { min_p: minP }),
    // vLLM's name, and the one of llama-server and LM Studio.
    ...(repeatPenalty !== undefined && {
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
