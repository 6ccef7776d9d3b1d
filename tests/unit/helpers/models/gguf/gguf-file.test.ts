import test from 'brittle'
import { encodeGguf, type GgufTensor } from '../../../../../helpers/models/gguf/gguf-file.js'
import type { GgufValue } from '../../../../../helpers/models/gguf/gguf-value.js'
import { readGguf } from '../../../../helpers/gguf/gguf-reader.js'

const METADATA = new Map<string, GgufValue>([
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['a.whole', { type: 'uint32', value: 4_294_967_295 }],
  ['a.signed', { type: 'int32', value: -2 }],
  ['a.real', { type: 'float32', value: 0.5 }],
  ['a.yes', { type: 'bool', value: true }],
  ['a.no', { type: 'bool', value: false }],
  ['a.list', { type: 'int32s', value: [1, -1, 3] }],
  ['a.texts', { type: 'strings', value: ['', 'Ġthe', '你好'] }],
])

const TENSORS: readonly GgufTensor[] = [
  { name: 'norm', dimensions: [3], type: 'f32', bytes: new Uint8Array(12).fill(1) },
  { name: 'matrix', dimensions: [32, 2], type: 'q8_0', bytes: new Uint8Array(68).fill(2) },
  { name: 'half', dimensions: [3, 3], type: 'f16', bytes: new Uint8Array(18).fill(4) },
  { name: 'last', dimensions: [1], type: 'f32', bytes: new Uint8Array(4).fill(3) },
]

test('should read back as it was when a file holds every kind of value', (t) => {
  const read = readGguf(encodeGguf({ metadata: METADATA, tensors: TENSORS }))
  t.is(read.version, 3)
  t.alike(
    Object.entries(read.metadata),
    [...METADATA].map(([key, { value }]) => [key, value]),
  )
  t.alike(
    read.tensors.map(({ name, dimensions, type }) => ({ name, dimensions, type })),
    [
      { name: 'norm', dimensions: [3], type: 0 },
      { name: 'matrix', dimensions: [32, 2], type: 8 },
      { name: 'half', dimensions: [3, 3], type: 1 },
      { name: 'last', dimensions: [1], type: 0 },
    ],
  )
})

test('should place every tensor at a multiple of 32 bytes when sizes are uneven', (t) => {
  const file = encodeGguf({ metadata: METADATA, tensors: TENSORS })
  for (const [index, tensor] of readGguf(file).tensors.entries()) {
    t.is(tensor.offset % 32, 0)
    const bytes = TENSORS[index]?.bytes ?? new Uint8Array()
    t.alike(
      Buffer.from(file.subarray(tensor.offset, tensor.offset + bytes.length)),
      Buffer.from(bytes),
    )
  }
  t.is(file.length % 32, 0)
})

test('should give the same bytes when the contents are the same', (t) => {
  const contents = { metadata: METADATA, tensors: TENSORS }
  t.alike(encodeGguf(contents), encodeGguf(contents))
})

test('should throw RangeError when a tensor has not the bytes that it should', async (t) => {
  const wrong: GgufTensor[] = [
    { name: 'short', dimensions: [3], type: 'f32', bytes: new Uint8Array(11) },
    { name: 'long', dimensions: [32], type: 'q8_0', bytes: new Uint8Array(35) },
    { name: 'uneven', dimensions: [16, 2], type: 'q8_0', bytes: new Uint8Array(34) },
  ]
  for (const tensor of wrong) {
    await t.exception.all(() => encodeGguf({ metadata: METADATA, tensors: [tensor] }), RangeError)
  }
})

test('should throw RangeError when two tensors have one name', async (t) => {
  const twice = [...TENSORS, ...TENSORS]
  await t.exception.all(() => encodeGguf({ metadata: METADATA, tensors: twice }), RangeError)
})

test('should throw RangeError when a number does not fit its type', async (t) => {
  for (const value of [-1, 2 ** 32]) {
    const metadata = new Map<string, GgufValue>([['key', { type: 'uint32', value }]])
    await t.exception.all(() => encodeGguf({ metadata, tensors: [] }), RangeError)
  }
})
