import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import { safeLine } from '../../helpers/text/terminal-text.js'
import type { ClientTools } from './run-client.js'

/** Lists the available models. @throws StarlingError MODEL_UNAVAILABLE if there are none */
export async function models({ client, output, signal }: ClientTools): Promise<undefined> {
  const served = await client.models(signal)
  for (const model of served) output.line(describeModel(model), { type: 'model', ...model })
  if (served.length > 0) return
  throw new StarlingError(
    'MODEL_UNAVAILABLE',
    'No processor with a model that answers prompts is connected to the gateway',
  )
}

/** Describes a model on one line. */
export function describeModel(model: ServedModel): string {
  const { name, processors, slots, contextTokens, sizeBytes, loaded } = model
  const parts = [
    name.padEnd(30),
    `${processors} ${processors === 1 ? 'processor' : 'processors'}`,
    `${slots} ${slots === 1 ? 'slot' : 'slots'}`,
    ...(contextTokens === undefined ? [] : [`${contextTokens} tokens of context`]),
    ...(sizeBytes === undefined ? [] : [`${Math.ceil(sizeBytes / 1e6)} MB`]),
    ...(model.quantization === undefined ? [] : [model.quantization]),
    ...(model.licence === undefined ? [] : [model.licence]),
    ...(model.source === undefined ? [] : [`from ${model.source}`]),
    ...(loaded === 0 ? ['loaded on demand'] : []),
  ]
  return safeLine(parts.join('  '))
}
