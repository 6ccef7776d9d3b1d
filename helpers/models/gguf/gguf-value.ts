/** A metadata value with the type that it is written as. */
export type GgufValue =
  | { readonly type: 'uint32' | 'int32' | 'float32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'int32s'; readonly value: readonly number[] }

/** Metadata in the order in which it is written; each key once. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>

/** The type codes of the GGUF specification. */
const CODE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const

/** The bytes of one value, its type code first. */
export function encodeGgufValue(value: GgufValue): Uint8Array {
  switch (value.type) {
    case 'uint32':
    case 'int32':
    case 'float32':
      return Buffer.concat([uint32(CODE[value.type]), number32(value.type, value.value)])
    case 'bool':
      return Buffer.concat([uint32(CODE.bool), Uint8Array.of(value.value ? 1 : 0)])
    case 'string':
      return Buffer.concat([uint32(CODE.string), encodeGgufString(value.value)])
    case 'strings':
      return array(CODE.string, value.value.map(encodeGgufString))
    case 'int32s':
      return array(
        CODE.int32,
        value.value.map((item) => number32('int32', item)),
      )
  }
}

/** A string: its length in bytes as 64 bits, then UTF-8. */
export function encodeGgufString(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([uint64(bytes.length), bytes])
}

/** 32 bits, little-endian. */
export function uint32(value: number): Uint8Array {
  return number32('uint32', value)
}

/** 64 bits, little-endian. */
export function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function array(itemCode: number, items: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([uint32(CODE.array), uint32(itemCode), uint64(items.length), ...items])
}

/** @throws RangeError for an integer that does not fit into its 32 bits */
function number32(type: 'uint32' | 'int32' | 'float32', value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  if (type === 'uint32') bytes.writeUInt32LE(value)
  else if (type === 'int32') bytes.writeInt32LE(value)
  else bytes.writeFloatLE(value)
  return bytes
}
