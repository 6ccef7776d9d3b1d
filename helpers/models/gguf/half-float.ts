const FLOAT = new Float32Array(1)
const BITS = new Uint32Array(FLOAT.buffer)

/**
 * The IEEE 754 half-precision number nearest to `value` (ties to even), as its 16 bits. Beyond
 * 65,504 it is infinite; below 6.1e-5 it loses precision bit by bit.
 */
export function toHalfFloatBits(value: number): number {
  FLOAT[0] = value
  const bits = BITS[0] ?? 0
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127
  const mantissa = bits & 0x7fffff
  if (exponent === 128) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200)
  // A half keeps 10 bits of mantissa, and fewer where it is subnormal: below 2^-14.
  const dropped = exponent >= -14 ? 13 : 13 - 14 - exponent
  if (dropped > 24) return sign
  const significand = 0x800000 | mantissa
  const kept = significand >>> dropped
  const rest = significand & ((1 << dropped) - 1)
  const half = 1 << (dropped - 1)
  const rounded = kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0)
  // Adding the exponent lets a carry out of the mantissa raise it, up to infinity.
  const magnitude = exponent >= -14 ? rounded + ((exponent + 14) << 10) : rounded
  return sign | Math.min(magnitude, 0x7c00)
}

/** The number that 16 bits represent in IEEE 754 half precision; exact in single precision. */
export function fromHalfFloatBits(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * mantissa * 2 ** -24
  return sign * (1024 + mantissa) * 2 ** (exponent - 25)
}
