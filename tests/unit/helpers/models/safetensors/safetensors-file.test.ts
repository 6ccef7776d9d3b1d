import test from 'brittle'
import {
  decodeSafetensors,
  MAX_SAFETENSORS_HEADER_BYTES,
} from '../../../../../helpers/models/safetensors/safetensors-file.js'
import {
  encodeSafetensors,
  safetensorsFile,
} from '../../../../helpers/models/safetensors-encoder.js'
import { codeThrownBy } from '../../../../helpers/property.js'

const F16 = (begin: number, end: number, shape = [(end - begin) / 2]) => ({
  dtype: 'F16',
  shape,
  data_offsets: [begin, end],
})

test('should give every tensor with its bytes when a file is whole', (t) => {
  const tensors = {
    matrix: { dtype: 'F16', shape: [2, 3], bytes: Buffer.from('abcdefghijkl') },
    nothing: { dtype: 'F32', shape: [0, 4], bytes: Buffer.alloc(0) },
    single: { dtype: 'I64', shape: [], bytes: Buffer.from('12345678') },
  }
  const read = decodeSafetensors(encodeSafetensors(tensors))
  t.alike([...read.keys()], ['matrix', 'nothing', 'single'])
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    const tensor = read.get(name)
    t.alike([tensor?.type, tensor?.shape], [dtype, shape])
    t.ok(bytes.equals(tensor?.bytes ?? Buffer.from('none')))
  }
})

test('should not copy when the tensors are stored in another order than they are named', (t) => {
  const file = safetensorsFile({ late: F16(4, 6), early: F16(0, 4) }, Buffer.from('abcdef'))
  const read = decodeSafetensors(file)
  t.is(Buffer.from(read.get('late')?.bytes ?? []).toString(), 'ef')
  t.is(read.get('early')?.bytes.buffer, file.buffer)
})

test('should throw MODEL_INVALID when a header is damaged', (t) => {
  const data = Buffer.from('abcdef')
  const whole = encodeSafetensors({ a: { dtype: 'F16', shape: [3], bytes: data } })
  const tooLong = Buffer.from(whole)
  tooLong.writeBigUInt64LE(2n ** 63n)
  const damaged: Uint8Array[] = [
    new Uint8Array(),
    new Uint8Array(7),
    tooLong,
    whole.subarray(0, 20),
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from('x')]),
    safetensorsFile('{', data),
    safetensorsFile('[1]'),
    safetensorsFile('null'),
    safetensorsFile('"text"'),
    safetensorsFile({ a: F16(0, 8) }, data),
    safetensorsFile({ a: F16(4, 2, [1]) }, data),
    safetensorsFile({ a: F16(0, 6, [2]) }, data),
    safetensorsFile({ a: F16(0, 6, [2 ** 52, 2 ** 52, 2 ** 52]) }, data),
    safetensorsFile({ a: F16(0, 4) }, data),
    safetensorsFile({ a: F16(0, 4), b: F16(2, 6) }, data),
    safetensorsFile({ a: F16(0, 6), b: F16(0, 6) }, data),
    safetensorsFile({ a: F16(0, 4), b: F16(0, 4) }, Buffer.from('abcdefgh')),
    safetensorsFile({ a: { ...F16(0, 6), dtype: 'F4' } }, data),
    safetensorsFile({ a: { ...F16(0, 6), dtype: 'toString' } }, data),
    safetensorsFile({ a: { ...F16(0, 6), more: 1 } }, data),
    safetensorsFile({ a: { ...F16(0, 6), shape: [-3] } }, data),
    safetensorsFile({ a: { ...F16(0, 6), shape: [1.5, 2] } }, data),
    safetensorsFile({ a: { ...F16(0, 6), shape: [3, 1, 1, 1, 1, 1, 1, 1, 1] } }, data),
    safetensorsFile({ a: { dtype: 'F16', shape: [3] } }, data),
    safetensorsFile({ a: null }, data),
  ]
  for (const [index, file] of damaged.entries()) {
    t.is(
      codeThrownBy(() => decodeSafetensors(file)),
      'MODEL_INVALID',
      `case ${index}`,
    )
  }
})

test('should refuse a header before reading it when it is longer than the limit', (t) => {
  const file = new Uint8Array(8 + MAX_SAFETENSORS_HEADER_BYTES + 1).fill(0x20)
  new DataView(file.buffer).setBigUint64(0, BigInt(MAX_SAFETENSORS_HEADER_BYTES + 1), true)
  t.exception(() => decodeSafetensors(file), /its header claims/)
})
