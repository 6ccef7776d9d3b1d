import { z } from 'zod'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { Deadline } from '../../clock/deadline.js'
import type { ModelServer } from './model-server.js'
import type { ServerAnswer } from './server-answer.js'

/** How long a server may take to say what it has. */
const METADATA_TIMEOUT_MS = 10_000

/** An answer that is no stream; 256 vectors of 4096 numbers fit. */
const MAX_JSON_BYTES = 32 * 1024 * 1024

/** Of the names in a message. */
const SHOWN_MODELS = 20

/**
 * Asks a server about itself, which must not take long.
 *
 * @throws StarlingError ENGINE_UNREACHABLE when it does; what asking throws
 */
export async function withinMetadataTime<Result>(
  server: ModelServer,
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
      `The server at ${server.url} did not say within ${METADATA_TIMEOUT_MS} ms what it has`,
      { cause: error },
    )
  } finally {
    deadline.dispose()
  }
}

/**
 * The JSON of an answer.
 *
 * @throws StarlingError ENGINE_UNREACHABLE when it says that it is something else, ENGINE_CRASHED
 *   when it is not what it says
 */
export async function readJson(answer: ServerAnswer): Promise<unknown> {
  answer.expect('application/json')
  const text = await answer.text(MAX_JSON_BYTES)
  try {
    return JSON.parse(text)
  } catch {
    // What JSON.parse throws quotes the answer.
    throw answer.malformed()
  }
}

/**
 * What a server said of itself, as it should be.
 *
 * @throws StarlingError ENGINE_UNREACHABLE when it is not: another kind of server
 */
export function parsed<Schema extends z.ZodType>(
  server: ModelServer,
  schema: Schema,
  answer: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  throw new StarlingError(
    'ENGINE_UNREACHABLE',
    `The server at ${server.url} is not one of the kind that is configured: ` +
      z.prettifyError(result.error).replaceAll(/\s+/g, ' ').slice(0, 200),
  )
}

/** @returns the error of a model that a server does not have, with what it has */
export function modelNotFound(
  server: ModelServer,
  model: string,
  names: readonly string[],
): StarlingError {
  const shown = names.slice(0, SHOWN_MODELS).join(', ')
  const rest = names.length > SHOWN_MODELS ? ` and ${names.length - SHOWN_MODELS} more` : ''
  const there = names.length === 0 ? 'none at all' : `${shown}${rest}`
  return new StarlingError(
    'MODEL_NOT_FOUND',
    `The server at ${server.url} has no model ${model}; it has ${there}`,
  )
}
