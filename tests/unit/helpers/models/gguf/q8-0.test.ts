import test from 'brittle'
import { packQ8_0 } from '../../../../../helpers/models/gguf/q8-0.js'

/** ggml's q8_0 by its definition: a half-precision scale, then 32 signed bytes. */
function unpack(blocks: Uint8Array): number[] {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length)
  const weights: number[] = []
  for (let block = 0; block < blocks.length; block += 34) {
    const bits = view.getUint16(block, true)
    const scale = (1 + (bits & 0x3ff) / 1024) * 2 ** ((bits >>> 10) - 15)
    for (let index = 0; index < 32; index++) weights.push(view.getInt8(block + 2 + index) * scale)
  }
  return weights
}

const EVERY_VALUE = Int8Array.from({ length: 256 }, (_, index) => index - 128)

test('should keep every weight exactly when the scale has an exact half', (t) => {
  const blocks = packQ8_0(EVERY_VALUE, 0.001953125)
  t.is(blocks.length, 8 * 34)
  t.alike(
    unpack(blocks),
    [...EVERY_VALUE].map((value) => value * 0.001953125),
  )
})

test('should keep weights to one part in 2,048, all alike, when the scale is rounded', (t) => {
  const scale = 0.0024586396757513285
  const ratios = unpack(packQ8_0(EVERY_VALUE, scale)).map((weight, index) => {
    const value = EVERY_VALUE[index] ?? 0
    return value === 0 ? undefined : weight / (value * scale)
  })
  const known = ratios.filter((ratio) => ratio !== undefined)
  t.ok(known.every((ratio) => Math.abs(ratio - 1) <= 2 ** -11))
  t.ok(Math.max(...known) - Math.min(...known) < 1e-12)
})

test('should read the values in place when they are a view into a larger buffer', (t) => {
  const view = new Int8Array(EVERY_VALUE.buffer, 64, 32)
  t.alike(unpack(packQ8_0(view, 1)), [...view])
})

test('should throw RangeError when the values fill no whole block', async (t) => {
  await t.exception.all(() => packQ8_0(new Int8Array(33), 1), RangeError)
})

test('should throw RangeError when half precision cannot hold the scale', async (t) => {
  for (const scale of [0, -1, 1e-6, 1e6, Number.NaN]) {
    await t.exception.all(() => packQ8_0(new Int8Array(32), scale), RangeError)
  }
})
