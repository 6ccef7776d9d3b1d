import { z } from 'zod'
import type { Engine, GenerateRequest } from '../../../facilities/engine/engine.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import {
  type ChatMessage,
  toolCallSchema,
  toolsSchema,
} from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { generationOptionsSchema } from '../../../helpers/protocol/generation-options.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Scope } from '../scope.js'
import { type Exchange, modelRoutes, type Route, StandInServer } from './stand-in-server.js'

const EVENTS = 'text/event-stream'

const number = z.number().optional()
const chatSchema = z.looseObject({
  model: z.string(),
  messages: z.array(
    z.looseObject({
      role: z.enum(['system', 'user', 'assistant', 'tool']),
      content: z.string().nullable(),
      reasoning_content: z.string().optional(),
      tool_calls: z.array(toolCallSchema).optional(),
      tool_call_id: z.string().optional(),
    }),
  ),
  stream: z.boolean().default(false),
  stream_options: z.object({ include_usage: z.boolean() }).optional(),
  max_tokens: number,
  temperature: number,
  top_p: number,
  top_k: number,
  min_p: number,
  repetition_penalty: number,
  presence_penalty: number,
  frequency_penalty: number,
  seed: number,
  stop: z.array(z.string()).optional(),
  logit_bias: z.record(z.string(), z.number()).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: number,
  response_format: z
    .object({
      type: z.literal('json_schema'),
      json_schema: z.looseObject({ name: z.string(), schema: z.record(z.string(), z.unknown()) }),
    })
    .optional(),
  tools: toolsSchema.optional(),
  chat_template_kwargs: z.looseObject({ enable_thinking: z.boolean().optional() }).optional(),
})
const embeddingsSchema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string())]),
})

type ChatBody = z.infer<typeof chatSchema>

/**
 * An OpenAI-compatible server whose models are engines: `/v1/models`, `/v1/chat/completions` and
 * `/v1/embeddings`, as vLLM and llama-server answer them.
 *
 * @param engines by the names of their models
 * @param key the API key that requests must have; when omitted, every request is answered
 */
export async function startOpenaiServer(
  scope: Scope,
  engines: Readonly<Record<string, Engine>>,
  key?: string,
): Promise<StandInServer> {
  for (const engine of Object.values(engines)) await engine.load()
  const guarded =
    (route: Route): Route =>
    async (request, exchange) => {
      if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
        const message = `Incorrect API key provided: ${request.headers.authorization}`
        return exchange.json(401, { error: { message, type: 'invalid_request_error' } })
      }
      await route(request, exchange)
    }
  const withModel = modelRoutes(engines, {
    ...{ refuse, fail },
    missing: (model) => `The model \`${model}\` does not exist.`,
  })
  return await StandInServer.start(
    scope,
    {
      'GET /v1/models': guarded(async (_, exchange) =>
        exchange.json(200, { object: 'list', data: Object.entries(engines).map(describe) }),
      ),
      'POST /v1/chat/completions': guarded(withModel(chatSchema, chat)),
      'POST /v1/embeddings': guarded(
        withModel(embeddingsSchema, async ({ model, input }, engine, exchange) => {
          const vectors = await engine.embed([input].flat(), exchange.signal)
          // In another order than requested: clients must use the index.
          const data = vectors.map((vector, index) => ({
            object: 'embedding',
            index,
            embedding: [...vector],
          }))
          exchange.json(200, { object: 'list', model, data: data.reverse() })
        }),
      ),
    },
    async (_, exchange) => exchange.json(404, { detail: 'Not Found' }),
  )
}

async function chat(body: ChatBody, engine: Engine, exchange: Exchange): Promise<void> {
  const head = { id: 'chatcmpl-1', created: 0, model: body.model }
  const write = async (choices: object[], usage?: object) => {
    const chunk = { ...head, object: 'chat.completion.chunk', choices, ...(usage && { usage }) }
    await exchange.write(EVENTS, `data: ${JSON.stringify(chunk)}\n\n`)
  }
  const { end, text } = await exchange.relay(
    engine.generate(requestOf(body), exchange.signal),
    async (token) => {
      if (!body.stream) return
      if (token.index === 0) await write([choice({ delta: { role: 'assistant', content: '' } })])
      if (token.text === '' && token.logprob === undefined) return
      const delta =
        token.kind === undefined ? { content: token.text } : { reasoning_content: token.text }
      await write([choice({ delta, ...logprobsOf(token) })])
    },
  )
  const finish = { finish_reason: end.finishReason }
  if (!body.stream) {
    const message = { role: 'assistant', content: text, tool_calls: end.toolCalls }
    const choices = [choice({ message, ...finish })]
    return exchange.json(200, { ...head, object: 'chat.completion', choices, usage: usageOf(end) })
  }
  for (const delta of toolCallDeltas(end)) await write([choice({ delta })])
  await write([choice({ delta: {}, ...finish })])
  if (body.stream_options?.include_usage === true) await write([], usageOf(end))
  await exchange.write(EVENTS, 'data: [DONE]\n\n')
  exchange.end()
}

function choice(fields: object): object {
  return { index: 0, finish_reason: null, ...fields }
}

function usageOf({
  promptTokens,
  completionTokens,
  cachedTokens,
  thoughtTokens = 0,
}: GenerationEnd): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: thoughtTokens },
  }
}

function logprobsOf({ text, tokenId, logprob, topLogprobs }: Token): object {
  if (logprob === undefined) return {}
  const top = (topLogprobs ?? []).map((one) => ({
    id: one.tokenId,
    token: one.text,
    logprob: one.logprob,
  }))
  return { logprobs: { content: [{ id: tokenId, token: text, logprob, top_logprobs: top }] } }
}

/** The name, then the arguments in two parts, as servers stream them. */
function toolCallDeltas({ toolCalls = [] }: GenerationEnd): object[] {
  return toolCalls.flatMap(({ id, type, function: { name, arguments: text } }, index) => {
    const middle = Math.ceil(text.length / 2)
    const part = (fields: object) => ({ tool_calls: [{ index, ...fields }] })
    return [
      part({ id, type, function: { name, arguments: '' } }),
      part({ function: { arguments: text.slice(0, middle) } }),
      part({ function: { arguments: text.slice(middle) } }),
    ]
  })
}

function requestOf(body: ChatBody): GenerateRequest {
  const thinking = body.chat_template_kwargs?.enable_thinking
  return {
    messages: body.messages.map(chatMessage),
    options: generationOptionsSchema.parse({
      // Like vLLM and llama-server: as long as the context allows.
      maxTokens: body.max_tokens ?? PROTOCOL_LIMITS.answerTokens,
      temperature: body.temperature ?? 1,
      topP: body.top_p ?? 1,
      topK: body.top_k ?? 0,
      minP: body.min_p ?? 0,
      repeatPenalty: body.repetition_penalty ?? 1,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
      seed: body.seed,
      stop: body.stop,
      logitBias: body.logit_bias,
      ...(body.logprobs === true && { logprobs: body.top_logprobs ?? 0 }),
      jsonSchema: body.response_format?.json_schema.schema,
      tools: body.tools,
      ...(thinking !== undefined && { thinking }),
    }),
  }
}

function chatMessage(message: ChatBody['messages'][number]): ChatMessage {
  const { role, tool_calls: toolCalls, tool_call_id, reasoning_content: reasoning } = message
  const content = message.content ?? ''
  if (role === 'tool') return { role, content, toolCallId: tool_call_id ?? 'none' }
  if (role !== 'assistant') return { role, content }
  return {
    ...{ role, content },
    ...(reasoning !== undefined && { reasoning }),
    ...(toolCalls && { toolCalls }),
  }
}

function describe([name, engine]: [string, Engine]): object {
  const { contextTokens } = engine.info()
  return { id: name, object: 'model', created: 0, owned_by: 'tests', max_model_len: contextTokens }
}

function refuse(exchange: Exchange, code: number, message: string): void {
  exchange.json(code, { error: { message, type: 'invalid_request_error', code } })
}

async function fail(error: unknown, exchange: Exchange): Promise<void> {
  const message = error instanceof Error ? error.message : String(error)
  const [code, type] = statusOf(error)
  if (!exchange.hasBegun) return exchange.json(code, { error: { message, type, code } })
  await exchange.write(EVENTS, `data: ${JSON.stringify({ error: { message, type, code } })}\n\n`)
  exchange.end()
}

function statusOf(error: unknown): [status: number, type: string] {
  if (isStarlingError(error, 'CONTEXT_TOO_LONG')) return [400, 'exceed_context_size_error']
  if (isStarlingError(error, 'INVALID_REQUEST', 'GRAMMAR_INVALID')) {
    return [400, 'invalid_request_error']
  }
  if (isStarlingError(error, 'NOT_SUPPORTED')) return [501, 'not_supported_error']
  if (isStarlingError(error, 'OVERLOADED')) return [503, 'unavailable_error']
  return [500, 'server_error']
}
