import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { unitVector } from '../../../helpers/generation/vectors.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'

/** The maximum number of texts per call. */
const MAX_TEXTS = 256

/**
 * Validates texts to be embedded by a server.
 *
 * @throws StarlingError INVALID_REQUEST if there are none or too many, or if one is empty or not a string;
 *   PAYLOAD_TOO_LARGE if their total length is too large
 */
export function checkTexts(texts: readonly string[]): readonly string[] {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string' || text === '')) {
    throw new StarlingError('INVALID_REQUEST', 'Only texts that are not empty can be embedded')
  }
  if (texts.length === 0 || texts.length > MAX_TEXTS) {
    throw new StarlingError(
      'INVALID_REQUEST',
      `The request has ${texts.length} texts to embed; 1 to ${MAX_TEXTS} are allowed`,
    )
  }
  const sizeBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  if (sizeBytes > PROTOCOL_LIMITS.promptBytes) {
    throw new StarlingError(
      'PAYLOAD_TOO_LARGE',
      `The texts to embed have ${sizeBytes} bytes; ${PROTOCOL_LIMITS.promptBytes} are allowed`,
    )
  }
  return texts
}

/**
 * Validates the embeddings from a server and scales them to length 1.
 *
 * @throws StarlingError ENGINE_CRASHED if there is not one vector for each text, or their dimensions differ
 */
export function checkVectors(
  texts: readonly string[],
  vectors: readonly (readonly number[])[],
): readonly Float32Array[] {
  const dimensions = vectors[0]?.length
  const isWhole =
    vectors.length === texts.length && vectors.every((vector) => vector.length === dimensions)
  try {
    if (isWhole) return vectors.map(unitVector)
  } catch {
    // Zero or infinite: cannot be scaled, as useless as a missing one.
  }
  throw new StarlingError(
    'ENGINE_CRASHED',
    `The server did not return a usable vector for each of ${texts.length} texts`,
  )
}
