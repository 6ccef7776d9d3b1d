import { z } from 'zod'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { Deadline } from '../../clock/deadline.js'
import type { ModelServerClient } from './model-server-client.js'
import type { ServerAnswer } from './server-answer.js'

/** How long a server may take to describe its models. */
const METADATA_TIMEOUT_MS = 10_000

/** The maximum size of an answer that is not a stream: 256 vectors of 4096 numbers fit. */
const MAX_JSON_BYTES = 32 * 1024 * 1024

/** The maximum number of names in a message. */
const SHOWN_MODELS = 20

/**
 * Runs a request for metadata of a server with a time limit.
 *
 * @throws StarlingError ENGINE_UNREACHABLE after 10 s; what `ask` throws
 */
export async function withinMetadataTime<Result>(
  server: ModelServerClient,
  signal: AbortSignal | undefined,
  ask: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new Deadline(server.clock, METADATA_TIMEOUT_MS, signal)
  try {
    return await ask(deadline.signal)
  } catch (error) {
    if (signal?.aborted || !isStarlingError(error, 'DEADLINE_EXCEEDED')) throw error
    throw new StarlingError(
      'ENGINE_UNREACHABLE',
      `The server at ${server.url} did not describe its models within ${METADATA_TIMEOUT_MS} ms`,
      { cause: error },
    )
  } finally {
    deadline.dispose()
  }
}

/**
 * The JSON of an answer.
 *
 * @throws StarlingError ENGINE_UNREACHABLE if it has another content type; ENGINE_CRASHED if it is not JSON
 */
export async function readJson(answer: ServerAnswer): Promise<unknown> {
  answer.expect('application/json')
  const text = await answer.text(MAX_JSON_BYTES)
  try {
    return JSON.parse(text)
  } catch {
    // The error of JSON.parse quotes the answer.
    throw answer.malformed()
  }
}

/**
 * Checks the metadata of a server against a schema.
 *
 * @throws StarlingError ENGINE_UNREACHABLE if it does not match: another kind of server
 */
export function parsed<Schema extends z.ZodType>(
  server: ModelServerClient,
  schema: Schema,
  answer: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new StarlingError(
    'ENGINE_UNREACHABLE',
    `The server at ${server.url} is not of the configured kind: ` +
      z.prettifyError(result.error).replaceAll(/\s+/g, ' ').slice(0, 200),
  )
}

/** @returns the error for a model that a server does not have, with those that it has */
export function modelNotFound(
  server: ModelServerClient,
  model: string,
  names: readonly string[],
): StarlingError {
  const shown = names.slice(0, SHOWN_MODELS).join(', ')
  const rest = names.length > SHOWN_MODELS ? ` and ${names.length - SHOWN_MODELS} more` : ''
  const available = names.length === 0 ? 'none' : `${shown}${rest}`
  return new StarlingError(
    'MODEL_NOT_FOUND',
    `The server at ${server.url} has no model ${model}; available models: ${available}`,
  )
}
