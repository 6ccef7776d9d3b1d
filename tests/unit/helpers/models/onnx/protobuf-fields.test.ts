import test from 'brittle'
import {
  packedVarints,
  protobufFields,
} from '../../../../../helpers/models/onnx/protobuf-fields.js'
import {
  bytesField,
  float32Field,
  varint,
  varintField,
} from '../../../../helpers/models/protobuf-encoder.js'

const INVALID = { code: 'MODEL_INVALID' }

function read(...parts: Uint8Array[]): ReturnType<typeof asPlain> {
  return asPlain(Buffer.concat(parts))
}

function asPlain(message: Uint8Array) {
  return [...protobufFields(message)].map((field) =>
    field.kind === 'varint'
      ? [field.number, field.value]
      : [field.number, field.kind, Buffer.from(field.bytes).toString('hex')],
  )
}

test('should give nothing when the message is empty', (t) => {
  t.alike(read(), [])
})

test('should give every field in its order when all wire types occur', (t) => {
  const fixed64 = Uint8Array.of((4 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8)
  t.alike(read(varintField(1, 5), bytesField(2, 'ab'), float32Field(3, 1), fixed64), [
    [1, 5n],
    [2, 'bytes', '6162'],
    [3, 'fixed', '0000803f'],
    [4, 'fixed', '0102030405060708'],
  ])
})

test('should read numbers of every length when they have up to 64 bits', (t) => {
  const numbers = [0n, 1n, 127n, 128n, 2n ** 28n - 1n, 2n ** 28n, 2n ** 35n + 3n, 2n ** 64n - 1n]
  for (const value of numbers) t.alike(read(varintField(1, value)), [[1, value]])
  t.alike(packedVarints(Buffer.concat(numbers.map(varint))), numbers)
})

test('should read field numbers above 15 when they take more than one byte', (t) => {
  t.alike(read(varintField(3000, 1)), [[3000, 1n]])
})

test('should give views and no copies when a field holds bytes', (t) => {
  const message = bytesField(1, 'abc')
  for (const field of protobufFields(message)) {
    t.ok(field.kind === 'bytes' && field.bytes.buffer === message.buffer)
  }
})

test('should throw MODEL_INVALID when a message is cut off inside a field', async (t) => {
  const message = Buffer.concat([bytesField(1, 'abcdef'), float32Field(2, 1)])
  const boundaries = new Set([0, 8, message.length])
  for (let length = 0; length < message.length; length++) {
    const cut = message.subarray(0, length)
    if (boundaries.has(length)) t.execution(() => asPlain(cut))
    else await t.exception(() => asPlain(cut), INVALID)
  }
})

test('should throw MODEL_INVALID when a length is larger than any file', async (t) => {
  const message = Buffer.concat([varint((1 << 3) | 2), varint(2n ** 64n - 1n)])
  await t.exception(() => asPlain(message), INVALID)
})

test('should throw MODEL_INVALID when a number does not end', async (t) => {
  await t.exception(() => asPlain(new Uint8Array(20).fill(0xff)), INVALID)
  await t.exception(() => packedVarints(Uint8Array.of(0x80)), INVALID)
})

test('should throw MODEL_INVALID when a field is of no wire type that is left in use', async (t) => {
  for (const wireType of [3, 4, 6, 7]) {
    await t.exception(() => asPlain(Uint8Array.of((1 << 3) | wireType, 0)), INVALID)
  }
})

test('should throw MODEL_INVALID when a field has the number 0', async (t) => {
  await t.exception(() => asPlain(Uint8Array.of(0, 1)), INVALID)
})
