/** Encodes Protocol Buffers by hand, as input for the reader under test. */

export function varint(value: bigint | number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    const group = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? group : group | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}

export function varintField(number: number, value: bigint | number): Uint8Array {
  return Buffer.concat([varint(number << 3), varint(value)])
}

export function bytesField(number: number, value: Uint8Array | string): Uint8Array {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

export function float32Field(number: number, value: number): Uint8Array {
  return Buffer.concat([varint((number << 3) | 5), float32Bytes([value])])
}

export function float32Bytes(values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes
}

/** A `TensorProto` with raw data; type 1 is float32, 2 uint8, 3 int8. */
export function tensorMessage(
  name: string,
  dimensions: readonly number[],
  type: number,
  raw: Uint8Array,
): Uint8Array {
  return Buffer.concat([
    ...dimensions.map((length) => varintField(1, length)),
    varintField(2, type),
    bytesField(8, name),
    bytesField(9, raw),
  ])
}

/** A `NodeProto`. */
export function nodeMessage(
  name: string,
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
): Uint8Array {
  return Buffer.concat([
    ...inputs.map((input) => bytesField(1, input)),
    ...outputs.map((output) => bytesField(2, output)),
    bytesField(3, name),
    bytesField(4, operator),
  ])
}

/** A `ModelProto` with one graph. */
export function modelMessage(
  nodes: readonly Uint8Array[],
  tensors: readonly Uint8Array[],
): Uint8Array {
  const graph = Buffer.concat([
    ...nodes.map((node) => bytesField(1, node)),
    bytesField(2, 'main_graph'),
    ...tensors.map((tensor) => bytesField(5, tensor)),
  ])
  return Buffer.concat([varintField(1, 8), bytesField(2, 'a test'), bytesField(7, graph)])
}
