import { toHalfFloatBits } from './half-float.js'

/** Weights in one q8_0 block, which share a scale. */
export const Q8_0_BLOCK_WEIGHTS = 32

/** One q8_0 block: its scale as a half-precision number, then 32 signed bytes. */
export const Q8_0_BLOCK_BYTES = 2 + Q8_0_BLOCK_WEIGHTS

/**
 * Packs weights that are already quantised to eight bits into ggml's q8_0 blocks: each weight is `value
 * x scale` before and after, and only the scale is rounded (to half precision, by at most one part in
 * 2,048, equally for the whole matrix). Converting to real numbers and choosing a new scale for each
 * block would round every weight a second time.
 *
 * @param values whole weights, row by row; a row must be a multiple of 32
 * @param scale of all values; 6.1e-5 to 65,504, where half precision is exact to 11 bits
 */
export function packQ8_0(values: Int8Array, scale: number): Uint8Array {
  if (values.length % Q8_0_BLOCK_WEIGHTS !== 0) {
    throw new RangeError(`q8_0 packs ${Q8_0_BLOCK_WEIGHTS} weights at a time, not ${values.length}`)
  }
  if (!(scale >= 2 ** -14 && scale <= 65_504)) {
    throw new RangeError(
      `The scale ${scale} is outside of the range that is exact in half precision`,
    )
  }
  const bits = toHalfFloatBits(scale)
  const blocks = new Uint8Array((values.length / Q8_0_BLOCK_WEIGHTS) * Q8_0_BLOCK_BYTES)
  const weights = new Uint8Array(values.buffer, values.byteOffset, values.length)
  for (let from = 0, to = 0; from < weights.length; to += Q8_0_BLOCK_BYTES) {
    blocks[to] = bits & 0xff
    blocks[to + 1] = bits >>> 8
    blocks.set(weights.subarray(from, from + Q8_0_BLOCK_WEIGHTS), to + 2)
    from += Q8_0_BLOCK_WEIGHTS
  }
  return blocks
}
