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
