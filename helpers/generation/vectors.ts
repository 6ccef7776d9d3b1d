/**
 * A vector with the same direction and length 1.
 *
 * @throws RangeError when it has no direction: all zero, or not finite
 */
export function unitVector(values: readonly number[]): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  if (!Number.isFinite(length) || length === 0) throw new RangeError('a vector has no direction')
  return Float32Array.from(values, (value) => value / length)
}

/** A vector as base 64 of its 32-bit floats, little-endian. */
export function encodeVector(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}

/** The inverse of {@link encodeVector}. Bytes that do not fill a whole float are left out. */
export function decodeVector(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) =>
    bytes.readFloatLE(index * 4),
  )
}
