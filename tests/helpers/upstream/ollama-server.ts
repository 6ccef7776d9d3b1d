import { z } from 'zod'
import type { Engine, GenerateRequest } from '../../../facilities/engine/engine.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { type ChatMessage, toolsSchema } from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd } from '../../../helpers/protocol/generation.js'
import { generationOptionsSchema } from '../../../helpers/protocol/generation-options.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Scope } from '../scope.js'
import { type Exchange, modelRoutes, StandInServer } from './stand-in-server.js'

const NDJSON = 'application/x-ndjson'

/** The default for a model that sets none. */
const NO_SHA256 = '0'.repeat(64)

const number = z.number().optional()
const optionsSchema = z.looseObject({
  num_ctx: number,
  num_predict: number,
  temperature: number,
  top_k: number,
  top_p: number,
  min_p: number,
  repeat_penalty: number,
  presence_penalty: number,
  frequency_penalty: number,
  seed: number,
  stop: z.array(z.string()).optional(),
})

const toolCallsSchema = z.array(
  z.object({
    function: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) }),
  }),
)
const chatSchema = z.looseObject({
  model: z.string(),
  stream: z.boolean().default(true),
  // By default, Ollama drops the beginning of a text that is too long.
  truncate: z.literal(false),
  format: z.record(z.string(), z.unknown()).optional(),
  options: optionsSchema.default({}),
  messages: z.array(
    z.looseObject({
      role: z.enum(['system', 'user', 'assistant', 'tool']),
      content: z.string(),
      thinking: z.string().optional(),
      tool_calls: toolCallsSchema.optional(),
      tool_name: z.string().optional(),
    }),
  ),
  tools: toolsSchema.optional(),
  think: z.boolean().optional(),
})
const embedSchema = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.string())]),
})

type ChatBody = z.infer<typeof chatSchema>

/**
 * An Ollama server whose models are engines: `/api/tags`, `/api/show`, `/api/chat` and
 * `/api/embed`, as https://docs.ollama.com/api describes them.
 *
 * @param engines by the names of their models
 */
export async function startOllamaServer(
  scope: Scope,
  engines: Readonly<Record<string, Engine>>,
): Promise<StandInServer> {
  for (const engine of Object.values(engines)) await engine.load()
  const withModel = modelRoutes(engines, {
    refuse: (exchange, status, error) => exchange.json(status, { error }),
    fail,
    missing: (model) => `model '${model}' not found`,
  })
  return await StandInServer.start(
    scope,
    {
      'GET /api/tags': async (_, exchange) =>
        exchange.json(200, { models: Object.entries(engines).map(describe) }),
      'POST /api/show': withModel(
        z.looseObject({ model: z.string() }),
        async (body, engine, exchange) => exchange.json(200, show(body.model, engine)),
      ),
      'POST /api/chat': withModel(chatSchema, async (body, engine, exchange) => {
        if (body.think === true && !engine.info().capabilities.has('thinking')) {
          return exchange.json(400, { error: `"${body.model}" does not support thinking` })
        }
        await chat(body, engine, exchange)
      }),
      'POST /api/embed': withModel(embedSchema, async ({ model, input }, engine, exchange) => {
        const vectors = await engine.embed([input].flat(), exchange.signal)
        exchange.json(200, { model, embeddings: vectors.map((vector) => [...vector]) })
      }),
    },
    async (_, exchange) => exchange.text(404, '404 page not found'),
  )
}

async function chat(body: ChatBody, engine: Engine, exchange: Exchange): Promise<void> {
  const { model, stream } = body
  const line = (fields: object) => ({ model, created_at: new Date(0).toISOString(), ...fields })
  const write = async (fields: object) =>
    await exchange.write(NDJSON, `${JSON.stringify(line(fields))}\n`)
  const said = (content: string, more?: object) => ({
    message: { role: 'assistant', content, ...more },
  })
  const { end, text } = await exchange.relay(
    engine.generate(requestOf(body), exchange.signal),
    async (token) => {
      if (!stream || token.text === '') return
      const content =
        token.kind === undefined ? said(token.text) : said('', { thinking: token.text })
      await write({ ...content, done: false })
    },
  )
  const calls = toolCallsOf(end)
  if (!stream) return exchange.json(200, line({ ...said(text, calls), ...last(end) }))
  if (end.toolCalls !== undefined) await write({ ...said('', calls), done: false })
  await write({ ...said(''), ...last(end) })
  exchange.end()
}

function toolCallsOf({ toolCalls }: GenerationEnd): object {
  if (toolCalls === undefined) return {}
  return {
    tool_calls: toolCalls.map(({ function: { name, arguments: text } }) => ({
      function: { name, arguments: JSON.parse(text) },
    })),
  }
}

function last({ finishReason, promptTokens, completionTokens, timings }: GenerationEnd): object {
  return {
    done: true,
    done_reason: finishReason === 'length' ? 'length' : 'stop',
    prompt_eval_count: promptTokens,
    prompt_eval_duration: Math.round(timings.promptMs * 1e6),
    eval_count: completionTokens,
    eval_duration: Math.round(timings.generationMs * 1e6),
  }
}

function requestOf({ messages, options, format, tools, think }: ChatBody): GenerateRequest {
  const { num_predict } = options
  return {
    messages: chatMessages(messages),
    options: generationOptionsSchema.parse({
      maxTokens:
        num_predict === undefined || num_predict < 0 ? PROTOCOL_LIMITS.answerTokens : num_predict,
      temperature: options.temperature ?? 0.8,
      topK: options.top_k ?? 40,
      topP: options.top_p ?? 0.9,
      minP: options.min_p ?? 0,
      repeatPenalty: options.repeat_penalty ?? 1.1,
      presencePenalty: options.presence_penalty ?? 0,
      frequencyPenalty: options.frequency_penalty ?? 0,
      seed: options.seed ?? 0,
      stop: options.stop ?? [],
      ...(format !== undefined && { jsonSchema: format }),
      ...(tools !== undefined && { tools }),
      ...(think !== undefined && { thinking: think }),
    }),
  }
}

/** Ollama identifies calls by function name: the latest call of that name is meant. */
function chatMessages(messages: ChatBody['messages']): ChatMessage[] {
  const ids = new Map<string, string>()
  return messages.map((message, position): ChatMessage => {
    const { role, content, thinking: reasoning, tool_calls, tool_name } = message
    if (role === 'tool') return { role, content, toolCallId: ids.get(tool_name ?? '') ?? 'none' }
    if (role !== 'assistant') return { role, content }
    const toolCalls = tool_calls?.map(({ function: called }, index) => {
      const id = `call_${position}_${index}`
      ids.set(called.name, id)
      return {
        id,
        type: 'function' as const,
        function: { name: called.name, arguments: JSON.stringify(called.arguments) },
      }
    })
    return {
      ...{ role, content },
      ...(reasoning !== undefined && { reasoning }),
      ...(toolCalls && { toolCalls }),
    }
  })
}

function details(engine: Engine): object {
  const family = engine.info().capabilities.has('embed') ? 'bert' : 'llama'
  return {
    parent_model: '',
    format: 'gguf',
    family,
    families: [family],
    parameter_size: '1M',
    quantization_level: 'F16',
  }
}

function describe([name, engine]: [string, Engine]): object {
  return {
    name,
    model: name,
    modified_at: new Date(0).toISOString(),
    size: 2_000_000,
    digest: NO_SHA256,
    details: details(engine),
  }
}

function show(name: string, engine: Engine): object {
  const { capabilities, contextTokens, modelSha256 } = engine.info()
  const blob = `/usr/share/ollama/.ollama/models/blobs/sha256-${modelSha256 ?? NO_SHA256}`
  return {
    modelfile: `# Modelfile generated by "ollama show"\n# FROM ${name}\n\nFROM ${blob}\nTEMPLATE x\n`,
    details: details(engine),
    model_info: { 'general.architecture': 'llama', 'llama.context_length': contextTokens },
    capabilities: [
      ...(capabilities.has('chat') ? ['completion'] : []),
      ...(capabilities.has('tools') ? ['tools'] : []),
      ...(capabilities.has('thinking') ? ['thinking'] : []),
      ...(capabilities.has('embed') ? ['embedding'] : []),
    ],
  }
}

async function fail(error: unknown, exchange: Exchange): Promise<void> {
  const [status, message] = refusalOf(error)
  if (!exchange.hasBegun) return exchange.json(status, { error: message })
  await exchange.write(NDJSON, `${JSON.stringify({ error: message })}\n`)
  exchange.end()
}

function refusalOf(error: unknown): [status: number, message: string] {
  const message = error instanceof Error ? error.message : String(error)
  if (!isStarlingError(error)) return [500, message]
  switch (error.code) {
    case 'CONTEXT_TOO_LONG': {
      const type = 'exceed_context_size_error'
      return [400, JSON.stringify({ error: { code: 400, message, type } })]
    }
    case 'INVALID_REQUEST':
    case 'GRAMMAR_INVALID':
      return [400, message]
    case 'NOT_SUPPORTED':
      return [400, `this model does not support it: ${message}`]
    case 'OVERLOADED':
      return [503, 'server busy, please try again.  maximum pending requests exceeded']
    default:
      return [500, message]
  }
}
