import { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { chatMessageSchema } from '../../helpers/protocol/chat-message.js'
import {
  generationOptionsSchema,
  resumeFromSchema,
} from '../../helpers/protocol/generation-options.js'
import type { EngineCapability, GenerateRequest } from './engine.js'

const requestSchema = z.strictObject({
  messages: z.array(chatMessageSchema).min(1),
  options: generationOptionsSchema,
  resumeFrom: resumeFromSchema.optional(),
})

/**
 * Validates a request to an engine. Requests from peers have been validated before. This is for programs that
 * use an engine directly, and for options that the engine does not support.
 *
 * @throws StarlingError INVALID_REQUEST if it exceeds a limit, NOT_SUPPORTED if it needs a missing capability
 */
export function checkRequest(
  request: GenerateRequest,
  engine: { readonly kind: string; readonly capabilities: ReadonlySet<EngineCapability> },
): GenerateRequest {
  const parsed = requestSchema.safeParse(request)
  if (!parsed.success) {
    const reason = z.prettifyError(parsed.error)
    throw new StarlingError('INVALID_REQUEST', `Invalid request to the engine: ${reason}`, {
      cause: parsed.error,
    })
  }
  for (const [capability, asked] of asks(parsed.data)) {
    if (asked && !engine.capabilities.has(capability)) throw notSupported(engine.kind, capability)
  }
  return parsed.data
}

/** @returns the error for a capability that the engine does not have */
export function notSupported(kind: string, capability: EngineCapability): StarlingError {
  const why =
    capability === 'chat'
      ? 'The model only embeds texts and cannot answer prompts'
      : `The engine ${kind} cannot do this with its model: ${capability}`
  return new StarlingError('NOT_SUPPORTED', why)
}

function asks({ options, resumeFrom }: GenerateRequest): [EngineCapability, boolean][] {
  return [
    ['chat', true],
    ['resume', resumeFrom !== undefined && resumeFrom.length > 0],
    ['logit-bias', Object.keys(options.logitBias).length > 0],
    ['logprobs', options.logprobs !== undefined],
    ['dry', options.dryMultiplier !== undefined && options.dryMultiplier > 0],
    ['json-schema', options.jsonSchema !== undefined],
    ['tools', options.tools !== undefined && options.tools.length > 0],
    ['thinking', options.thinking === true],
  ]
}
