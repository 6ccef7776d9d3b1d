import type { Ollama } from 'ollama'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import {
  type OllamaModel,
  type OllamaModelFacts,
  ollamaModelFacts,
  ollamaModels,
  ollamaShowSchema,
  ollamaTagsSchema,
} from '../../../helpers/upstream/ollama/model-description.js'
import { parseServerAddress } from '../../../helpers/upstream/server-address.js'
import type { Clock } from '../../clock/clock.js'
import { ModelServerClient } from './model-server-client.js'
import { ollamaCall } from './ollama-client.js'
import { modelNotFound, parsed, withinMetadataTime } from './server-metadata.js'

/** Ollama's default port. */
const OLLAMA_PORT = 11434

/** Addresses that a server can listen on but clients cannot connect to, as written in a URL. */
const ANY_ADDRESS = /^((?:https?:\/\/)?)(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/i

/**
 * The address of the Ollama server of this machine: the value of `OLLAMA_HOST`, which Ollama's own server and
 * client read, or the default. If the variable makes the server listen on all addresses, 127.0.0.1 is used.
 *
 * @see https://github.com/ollama/ollama/blob/main/docs/faq.md
 */
export function ollamaAddress(variable: string | undefined): string {
  const text = variable?.trim() ?? ''
  if (text === '') return `127.0.0.1:${OLLAMA_PORT}`
  // `:11434` means all addresses.
  return (text.startsWith(':') ? `127.0.0.1${text}` : text).replace(ANY_ADDRESS, '$1127.0.0.1')
}

/**
 * A server whose address was configured like `http://127.0.0.1:11434`, or `workstation`.
 *
 * @throws StarlingError CONFIG_INVALID
 */
export function ollamaServer(host: string, clock: Clock): ModelServerClient {
  return new ModelServerClient({
    address: parseServerAddress(host, 'the Ollama server', OLLAMA_PORT),
    clock,
  })
}

/**
 * All models that an Ollama server has.
 *
 * @param options.host the server's address, from the operator's configuration
 * @throws StarlingError CONFIG_INVALID, ENGINE_UNREACHABLE, ENGINE_CRASHED, OVERLOADED; the signal's
 *   reason when it is aborted
 */
export async function listOllamaModels(options: {
  readonly host: string
  readonly clock: Clock
  readonly signal?: AbortSignal
}): Promise<OllamaModel[]> {
  const server = ollamaServer(options.host, options.clock)
  try {
    return await modelsOf(server, options.signal)
  } finally {
    server.close()
  }
}

/**
 * What a server reports about one of its models.
 *
 * @throws StarlingError as {@link listOllamaModels}, and MODEL_NOT_FOUND, with the available models
 */
export async function ollamaFactsOf(
  server: ModelServerClient,
  model: string,
  signal: AbortSignal,
): Promise<OllamaModelFacts> {
  try {
    const shown = await metadata(server, signal, (client) => client.show({ model }))
    return ollamaModelFacts(model, parsed(server, ollamaShowSchema, shown))
  } catch (error) {
    if (!isStarlingError(error, 'MODEL_NOT_FOUND')) throw error
    const names = (await modelsOf(server, signal)).map(({ name }) => name)
    throw modelNotFound(server, model, names)
  }
}

async function modelsOf(server: ModelServerClient, signal?: AbortSignal): Promise<OllamaModel[]> {
  const tags = await metadata(server, signal, (client) => client.list())
  return ollamaModels(parsed(server, ollamaTagsSchema, tags))
}

async function metadata(
  server: ModelServerClient,
  signal: AbortSignal | undefined,
  ask: (client: Ollama) => Promise<unknown>,
): Promise<unknown> {
  return await withinMetadataTime(server, signal, (within) =>
    ask(ollamaCall(server, within).client),
  )
}
