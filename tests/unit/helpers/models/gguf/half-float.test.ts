import test from 'brittle'
import {
  fromHalfFloatBits,
  toHalfFloatBits,
} from '../../../../../helpers/models/gguf/half-float.js'

/** The definition of IEEE 754 half precision, read literally. */
function definedValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = (bits & 0x3ff) / 1024
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * fraction * 2 ** -14
  return sign * (1 + fraction) * 2 ** (exponent - 15)
}

test('should give the number that the definition gives when any half is read', (t) => {
  const wrong: number[] = []
  for (let bits = 0; bits < 0x10000; bits++) {
    if (!Object.is(fromHalfFloatBits(bits), definedValue(bits))) wrong.push(bits)
  }
  t.alike(wrong, [])
})

test('should give the same bits back when a number has an exact half', (t) => {
  const wrong: number[] = []
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = definedValue(bits)
    if (!Number.isNaN(value) && toHalfFloatBits(value) !== bits) wrong.push(bits)
  }
  t.alike(wrong, [])
})

test('should take the nearest, and of two the even one, when a number lies between halves', (t) => {
  const wrong: number[] = []
  for (let bits = 0; bits < 0x7bff; bits++) {
    const low = definedValue(bits)
    const step = definedValue(bits + 1) - low
    const even = bits % 2 === 0 ? bits : bits + 1
    if (toHalfFloatBits(low + step / 2) !== even) wrong.push(bits)
    if (toHalfFloatBits(low + step * 0.4) !== bits) wrong.push(bits)
    if (toHalfFloatBits(low + step * 0.6) !== bits + 1) wrong.push(bits)
  }
  t.alike(wrong, [])
})

test('should be infinite or not a number when the value is, or is too large', (t) => {
  t.is(toHalfFloatBits(65_519), 0x7bff)
  t.is(toHalfFloatBits(65_520), 0x7c00)
  t.is(toHalfFloatBits(-1e30), 0xfc00)
  t.is(toHalfFloatBits(Number.POSITIVE_INFINITY), 0x7c00)
  t.ok(Number.isNaN(definedValue(toHalfFloatBits(Number.NaN))))
})
