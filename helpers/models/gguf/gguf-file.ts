import {
  encodeGgufString,
  encodeGgufValue,
  type GgufMetadata,
  uint32,
  uint64,
} from './gguf-value.js'
import { Q8_0_BLOCK_BYTES, Q8_0_BLOCK_WEIGHTS } from './q8-0.js'

/** One tensor of the file. */
export interface GgufTensor {
  readonly name: string
  /** Length of each axis, innermost (contiguous) first: a matrix is [columns, rows]. */
  readonly dimensions: readonly number[]
  readonly type: 'f32' | 'f16' | 'q8_0'
  /** The elements as ggml keeps them, little-endian. */
  readonly bytes: Uint8Array
}

/** The content of a GGUF file. */
export interface GgufContents {
  readonly metadata: GgufMetadata
  readonly tensors: readonly GgufTensor[]
}

/** The first four bytes of every GGUF file. */
export const GGUF_MAGIC = 'GGUF'

const GGUF_VERSION = 3

/** Tensors begin at multiples of this: the default of the format, so no key has to state it. */
const ALIGNMENT_BYTES = 32

/** The type codes of ggml, and the elements and bytes of one block. */
const TENSOR_TYPES = {
  f32: { code: 0, blockElements: 1, blockBytes: 4 },
  f16: { code: 1, blockElements: 1, blockBytes: 2 },
  q8_0: { code: 8, blockElements: Q8_0_BLOCK_WEIGHTS, blockBytes: Q8_0_BLOCK_BYTES },
} as const

/**
 * Writes a GGUF file, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). The
 * same contents give the same bytes.
 *
 * @throws RangeError if the size of a tensor does not match its dimensions and type, a name occurs
 *   twice, or a number does not fit its type
 */
export function encodeGguf(contents: GgufContents): Uint8Array {
  const { metadata, tensors } = contents
  const head: Uint8Array[] = [
    Buffer.from(GGUF_MAGIC, 'latin1'),
    uint32(GGUF_VERSION),
    uint64(tensors.length),
    uint64(metadata.size),
  ]
  for (const [key, value] of metadata) head.push(encodeGgufString(key), encodeGgufValue(value))

  const offsets = new Map<string, number>()
  let dataBytes = 0
  for (const tensor of tensors) {
    checkTensor(tensor)
    if (offsets.has(tensor.name)) throw new RangeError(`Two tensors are named ${tensor.name}`)
    offsets.set(tensor.name, dataBytes)
    head.push(
      encodeGgufString(tensor.name),
      uint32(tensor.dimensions.length),
      ...tensor.dimensions.map(uint64),
      uint32(TENSOR_TYPES[tensor.type].code),
      uint64(dataBytes),
    )
    dataBytes = align(dataBytes + tensor.bytes.length)
  }

  const headBytes = Buffer.concat(head)
  const dataStart = align(headBytes.length)
  // Zero-filled: the padding between tensors has to be deterministic, too.
  const file = new Uint8Array(dataStart + dataBytes)
  file.set(headBytes)
  for (const tensor of tensors) {
    file.set(tensor.bytes, dataStart + (offsets.get(tensor.name) ?? 0))
  }
  return file
}

function checkTensor(tensor: GgufTensor): void {
  const { blockElements, blockBytes } = TENSOR_TYPES[tensor.type]
  const rowElements = tensor.dimensions[0] ?? 1
  if (rowElements % blockElements !== 0) {
    throw new RangeError(`A row of ${tensor.name} is not a multiple of ${blockElements} elements`)
  }
  const elements = tensor.dimensions.reduce((product, length) => product * length, 1)
  const expected = (elements / blockElements) * blockBytes
  if (tensor.bytes.length !== expected) {
    throw new RangeError(`${tensor.name} has ${tensor.bytes.length} bytes, not ${expected}`)
  }
}

function align(offset: number): number {
  return Math.ceil(offset / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
}
