import type { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'

/** The most text of a peer that an error message quotes: the message is logged and sent back. */
const QUOTED_CHARACTERS = 300

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * A value as the bytes that are sent: JSON in UTF-8.
 *
 * @param what names the message in the error: `the request`
 * @throws StarlingError PAYLOAD_TOO_LARGE
 */
export function encodeMessage(value: unknown, limitBytes: number, what: string): Buffer {
  const bytes = Buffer.from(JSON.stringify(value))
  assertSize(bytes, limitBytes, what)
  return bytes
}

/**
 * The value in bytes that came from a peer, checked against its schema.
 *
 * @throws StarlingError PAYLOAD_TOO_LARGE; INVALID_REQUEST if the bytes are not UTF-8, not JSON, or do
 *   not match the schema (the message names the field)
 */
export function decodeMessage<Schema extends z.ZodType>(
  bytes: Uint8Array,
  schema: Schema,
  limitBytes: number,
  what: string,
): z.output<Schema> {
  assertSize(bytes, limitBytes, what)
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch (cause) {
    throw new StarlingError('INVALID_REQUEST', `${what} is not valid UTF-8`, { cause })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new StarlingError('INVALID_REQUEST', `${what} is not valid JSON`, { cause })
  }
  return validateMessage(value, schema, what)
}

/**
 * A decoded value, checked against its schema.
 *
 * @throws StarlingError INVALID_REQUEST, whose message names the first field that is wrong
 */
export function validateMessage<Schema extends z.ZodType>(
  value: unknown,
  schema: Schema,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.')
  throw new StarlingError(
    'INVALID_REQUEST',
    `${what}${path ? `, field ${shortened(path)}` : ''}: ` +
      shortened(issue?.message ?? 'not as expected'),
  )
}

function shortened(text: string): string {
  return text.length <= QUOTED_CHARACTERS ? text : `${text.slice(0, QUOTED_CHARACTERS)}…`
}

function assertSize(bytes: Uint8Array, limitBytes: number, what: string): void {
  if (bytes.byteLength <= limitBytes) return
  throw new StarlingError(
    'PAYLOAD_TOO_LARGE',
    `${what} has ${bytes.byteLength} bytes; the limit is ${limitBytes}`,
  )
}
