import type { ChatMessage } from '../../protocol/chat-message.js'
import type { GenerationOptions } from '../../protocol/generation-options.js'

/** A conversation for `/v1/chat/completions`, answered as a stream. */
export interface OpenaiChatRequest {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly options: GenerationOptions
}

/**
 * The body of a request to `/v1/chat/completions`. Only options that the request sets are sent: for the others
 * the server uses its own defaults. OpenAI itself refuses options that are not part of its API; vLLM,
 * llama-server and LM Studio accept them.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
export function openaiChatRequest({ model, messages, options }: OpenaiChatRequest) {
  const { maxTokens, logprobs, jsonSchema, tools, stop, logitBias, seed, thinking } = options
  const { temperature, topP, topK, minP } = options
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options
  const { dryMultiplier, dryBase, dryAllowedLength } = options
  const lastQuestion = messages.findLastIndex(({ role }) => role === 'user')
  return {
    model,
    messages: messages.map((message, index) => openaiMessage(message, index > lastQuestion)),
    stream: true,
    stream_options: { include_usage: true },
    // Left out if the request does not set it: the length of a thought is unknown, and servers refuse a
    // limit that does not fit beside the prompt. The answer is cut off when it is read.
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
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
    ...(dryMultiplier !== undefined && { dry_multiplier: dryMultiplier }),
    ...(dryBase !== undefined && { dry_base: dryBase }),
    ...(dryAllowedLength !== undefined && { dry_allowed_length: dryAllowedLength }),
    // vLLM and llama-server pass it to the chat template of the model.
    ...(thinking !== undefined && {
      chat_template_kwargs: { enable_thinking: thinking, thinking },
    }),
    // The name that vLLM, llama-server and LM Studio use.
    ...(repeatPenalty !== undefined && {
      repetition_penalty: repeatPenalty,
      repeat_penalty: repeatPenalty,
    }),
  }
}

/**
 * Thoughts are only sent between function calls of the current turn, because the model continues them.
 * Chat templates drop those of earlier turns, and some servers refuse them.
 */
function openaiMessage(message: ChatMessage, isAfterQuestion: boolean) {
  const { role, content } = message
  if (role === 'tool') return { role, content, tool_call_id: message.toolCallId }
  if (role !== 'assistant') return { role, content }
  const { reasoning, toolCalls } = message
  return {
    role,
    content,
    // The older name, which most servers know, and vLLM's new one.
    ...(isAfterQuestion && reasoning !== undefined && { reasoning_content: reasoning, reasoning }),
    ...(toolCalls && { tool_calls: toolCalls }),
  }
}
