import { StarlingError } from '../../../helpers/errors/starling-error.js'
import {
  type OpenaiModel,
  openaiModels,
  openaiModelsSchema,
} from '../../../helpers/upstream/openai/model-description.js'
import { parseServerAddress } from '../../../helpers/upstream/server-address.js'
import type { Clock } from '../../clock/clock.js'
import { ModelServerClient } from './model-server-client.js'
import { parsed, readJson, withinMetadataTime } from './server-metadata.js'

/** Where an OpenAI-compatible server is. */
export interface OpenaiServerOptions {
  /**
   * The base URL of the API, only from the operator's configuration: `http://127.0.0.1:8000/v1`. Without a
   * path, `/v1` is added.
   */
  readonly baseUrl: string
  /** Sent only to that server, and never shown. */
  readonly key?: string | undefined
  readonly clock: Clock
}

/** @throws StarlingError CONFIG_INVALID */
export function openaiServer({ baseUrl, key, clock }: OpenaiServerOptions): ModelServerClient {
  const address = parseServerAddress(baseUrl, 'the OpenAI-compatible server')
  if (key !== undefined && address.authorization !== null) {
    throw new StarlingError(
      'CONFIG_INVALID',
      'The OpenAI-compatible server has both a key and a password in its address; it can take one',
    )
  }
  const hasPath = new URL(address.url).pathname !== '/'
  const url = hasPath ? address.url : `${address.url}/v1`
  return new ModelServerClient({ address: { ...address, url }, key, clock })
}

/**
 * All models that an OpenAI-compatible server has.
 *
 * @throws StarlingError CONFIG_INVALID, ENGINE_UNREACHABLE, ENGINE_CRASHED, OVERLOADED; the signal's
 *   reason when it is aborted
 */
export async function listOpenaiModels(
  options: OpenaiServerOptions & { readonly signal?: AbortSignal },
): Promise<OpenaiModel[]> {
  const server = openaiServer(options)
  try {
    return await openaiModelsOf(server, options.signal)
  } finally {
    server.close()
  }
}

/** As {@link listOpenaiModels}, of a known server. */
export async function openaiModelsOf(
  server: ModelServerClient,
  signal?: AbortSignal,
): Promise<OpenaiModel[]> {
  return await withinMetadataTime(server, signal, async (within) => {
    const answer = await server.request({ method: 'GET', path: '/models', signal: within })
    return openaiModels(parsed(server, openaiModelsSchema, await readJson(answer)))
  })
}
