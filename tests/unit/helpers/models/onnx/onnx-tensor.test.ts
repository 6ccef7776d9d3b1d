import test from 'brittle'
import { decodeOnnxTensor } from '../../../../../helpers/models/onnx/onnx-tensor.js'
import {
  bytesField,
  float32Bytes,
  float32Field,
  tensorMessage,
  varint,
  varintField,
} from '../../../../helpers/models/protobuf-encoder.js'

const INVALID = { code: 'MODEL_INVALID' }

test('should read a matrix when its data are raw', (t) => {
  const tensor = decodeOnnxTensor(
    tensorMessage('weights', [2, 3], 3, Uint8Array.of(1, 2, 3, 4, 5, 6)),
  )
  t.is(tensor.name, 'weights')
  t.alike(tensor.dimensions, [2, 3])
  t.is(tensor.elementType, 'int8')
  t.alike([...tensor.bytes], [1, 2, 3, 4, 5, 6])
})

test('should read a single number when there are no dimensions', (t) => {
  const scale = Buffer.concat([
    varintField(2, 1),
    bytesField(4, float32Bytes([0.25])),
    bytesField(8, 's'),
  ])
  t.alike(decodeOnnxTensor(scale).bytes, Buffer.from(float32Bytes([0.25])))
})

test('should read the same numbers when floats are packed or one by one', (t) => {
  const head = [varintField(1, 2), varintField(2, 1)]
  const packed = decodeOnnxTensor(Buffer.concat([...head, bytesField(4, float32Bytes([1, -2]))]))
  const single = decodeOnnxTensor(Buffer.concat([...head, float32Field(4, 1), float32Field(4, -2)]))
  t.alike(packed.bytes, single.bytes)
})

test('should read bytes from 32-bit numbers when there are no raw data', (t) => {
  const packed = Buffer.concat([varint(-1), varint(-128), varint(127)])
  const signed = decodeOnnxTensor(
    Buffer.concat([varintField(1, 3), varintField(2, 3), bytesField(5, packed)]),
  )
  t.alike([...new Int8Array(signed.bytes)], [-1, -128, 127])
  const unsigned = decodeOnnxTensor(Buffer.concat([varintField(2, 2), varintField(5, 128)]))
  t.is(unsigned.elementType, 'uint8')
  t.alike([...unsigned.bytes], [128])
})

test('should read the dimensions when they are packed', (t) => {
  const message = Buffer.concat([
    bytesField(1, Buffer.concat([varint(1), varint(2)])),
    varintField(2, 2),
    bytesField(9, Uint8Array.of(1, 2)),
  ])
  t.alike(decodeOnnxTensor(message).dimensions, [1, 2])
})

test('should throw MODEL_INVALID when the data are not as long as the dimensions say', async (t) => {
  for (const length of [0, 5, 7]) {
    const message = tensorMessage('weights', [2, 3], 3, new Uint8Array(length))
    await t.exception(() => decodeOnnxTensor(message), INVALID)
  }
})

test('should throw MODEL_INVALID when the element type is not read', async (t) => {
  for (const type of [0, 7, 10]) {
    await t.exception(
      () => decodeOnnxTensor(tensorMessage('w', [1], type, new Uint8Array(8))),
      INVALID,
    )
  }
})

test('should throw MODEL_INVALID when the data is in another file', async (t) => {
  const message = Buffer.concat([tensorMessage('w', [1], 2, Uint8Array.of(1)), varintField(14, 1)])
  await t.exception(() => decodeOnnxTensor(message), INVALID)
})

test('should throw MODEL_INVALID when dimensions are absurd', async (t) => {
  const wide = Buffer.concat([varintField(1, 2n ** 40n), varintField(2, 2)])
  await t.exception(() => decodeOnnxTensor(wide), INVALID)
  const deep = tensorMessage('w', new Array(9).fill(1), 2, Uint8Array.of(1))
  await t.exception(() => decodeOnnxTensor(deep), INVALID)
})
