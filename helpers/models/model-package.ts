import type { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'

/** The files from which a model is converted, by their path in its package. */
export type PackageFiles = ReadonlyMap<string, Uint8Array>

/** @throws StarlingError MODEL_INVALID when the package has no such file */
export function fileNamed(files: PackageFiles, path: string): Uint8Array {
  const file = files.get(path)
  if (file === undefined) throw new StarlingError('MODEL_INVALID', `the model has no file ${path}`)
  return file
}

/**
 * Reads one JSON file of a model package.
 *
 * @param name of the file, for the message
 * @throws StarlingError MODEL_INVALID naming the file and the first key that is not as expected
 */
export function parseModelJson<Schema extends z.ZodType>(
  name: string,
  file: Uint8Array,
  schema: Schema,
): z.output<Schema> {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file))
  } catch (cause) {
    throw new StarlingError('MODEL_INVALID', `${name} is damaged: it is not JSON`, { cause })
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new StarlingError(
    'MODEL_INVALID',
    `${name} is not as expected at "${issue?.path.join('.') ?? ''}": ${issue?.message ?? 'invalid'}`,
  )
}
