import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { unitVector } from '../../../helpers/generation/vectors.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'

/** Texts that are embedded by one call. */
const MAX_TEXTS = 256

/**
 * Texts as a server may be asked to embed them.
 *
 * @throws StarlingError INVALID_REQUEST when they are none, too many, or no texts; PAYLOAD_TOO_LARGE
 *   when they are too long together
 */
export function checkTexts(texts: readonly string[]): readonly string[] {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== 'string' || text === '')) {
    throw new StarlingError('INVALID_REQUEST', 'Only texts that are not empty can be embedded')
  }
  if (texts.length === 0 || texts.length > MAX_TEXTS) {
    throw new StarlingError(
      'INVALID_REQUEST',
      `${texts.length} texts are to be embedded at once; 1 to ${MAX_TEXTS} can be`,
    )
  }
  const sizeBytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  if (sizeBytes > PROTOCOL_LIMITS.promptBytes) {
    throw new StarlingError(
      'PAYLOAD_TOO_LARGE',
      `The texts to be embedded have ${sizeBytes} bytes; ${PROTOCOL_LIMITS.promptBytes} can be`,
    )
  }
  return texts
}

/**
 * What a server gave for texts, as vectors of length 1.
 *
 * @throws StarlingError ENGINE_CRASHED when they are not one vector each, all of the same dimensions
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
    // Zero or infinite: as useless as a missing one.
  }
  throw new StarlingError(
    'ENGINE_CRASHED',
    `The server gave no vector of its own for each of ${texts.length} texts`,
  )
}
