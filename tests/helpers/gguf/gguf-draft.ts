/** A value of a file, parsed only as far as is needed to change it. */
export type DraftValue =
  | { code: number; bytes: Uint8Array }
  | { code: 8; text: Uint8Array; claimed?: bigint }
  | { code: 9; itemCode: number; items: Uint8Array[]; claimed?: bigint }

export interface DraftKey {
  name: Uint8Array
  value: DraftValue
}

export interface DraftTensor {
  name: Uint8Array
  dimensions: bigint[]
  type: number
  offset: bigint
}

/** A parsed GGUF file: everything can be changed, validly or not, and encoded again. */
export interface GgufDraft {
  version: number
  keys: DraftKey[]
  tensors: DraftTensor[]
  /** Counts that the file states instead of the true ones; undefined where they are true. */
  claimedKeys?: bigint
  claimedTensors?: bigint
  /** The data of the tensors. Shared by all drafts of a file; do not change. */
  readonly data: Uint8Array
}

/** Elements and bytes of a block, for the tensor types that the tests use. */
export const BLOCKS: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  12: [256, 144],
  15: [256, 292],
  16: [256, 66],
  20: [32, 18],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  30: [1, 2],
  34: [256, 54],
  39: [32, 17],
  40: [64, 36],
  41: [128, 18],
  42: [64, 18],
}

const VALUE_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}

/** Parses a complete, valid file. */
export function readDraft(file: Uint8Array): GgufDraft {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  let offset = 4
  const take = (length: number): Uint8Array => {
    offset += length
    return bytes.subarray(offset - length, offset)
  }
  const u32 = () => Buffer.from(take(4)).readUInt32LE()
  const u64 = () => Buffer.from(take(8)).readBigUInt64LE()
  const text = () => take(Number(u64()))
  const items = (itemCode: number, count: number) =>
    Array.from({ length: count }, () =>
      itemCode === 8 ? text() : take(VALUE_BYTES[itemCode] ?? 0),
    )
  const value = (code: number): DraftValue => {
    if (code === 8) return { code, text: text() }
    if (code !== 9) return { code, bytes: take(VALUE_BYTES[code] ?? 0) }
    const itemCode = u32()
    return { code, itemCode, items: items(itemCode, Number(u64())) }
  }
  const version = u32()
  const tensorCount = Number(u64())
  const keyCount = Number(u64())
  const keys = Array.from({ length: keyCount }, () => ({ name: text(), value: value(u32()) }))
  const tensors = Array.from({ length: tensorCount }, () => ({
    name: text(),
    dimensions: Array.from({ length: u32() }, u64),
    type: u32(),
    offset: u64(),
  }))
  return { version, keys, tensors, data: bytes.subarray(Math.ceil(offset / 32) * 32) }
}

/** A copy that can be changed; tensor data is shared. */
export function copyDraft(draft: GgufDraft): GgufDraft {
  return {
    ...draft,
    keys: draft.keys.map(({ name, value }) => ({
      name,
      value: 'items' in value ? { ...value, items: [...value.items] } : { ...value },
    })),
    tensors: draft.tensors.map((tensor) => ({ ...tensor, dimensions: [...tensor.dimensions] })),
  }
}

/** Gives each tensor its correct offset, and returns the total size. */
export function layOut(draft: GgufDraft, alignment = 32n): bigint {
  let offset = 0n
  for (const tensor of draft.tensors) {
    const [elements, bytes] = BLOCKS[tensor.type] ?? [1, 4]
    const product = tensor.dimensions.reduce((sum, length) => sum * length, 1n)
    tensor.offset = BigInt.asUintN(64, offset)
    offset += (product / BigInt(elements)) * BigInt(bytes)
    offset = ((offset + alignment - 1n) / alignment) * alignment
  }
  return offset
}

/** Everything before the tensor data, including the padding. */
export function writeHead(draft: GgufDraft, alignment = 32): Buffer {
  const parts: Uint8Array[] = [Buffer.from('GGUF')]
  parts.push(u32(draft.version), u64(draft.claimedTensors ?? BigInt(draft.tensors.length)))
  parts.push(u64(draft.claimedKeys ?? BigInt(draft.keys.length)))
  for (const { name, value } of draft.keys) {
    parts.push(u64(BigInt(name.length)), name, u32(value.code))
    if ('text' in value) {
      parts.push(u64(value.claimed ?? BigInt(value.text.length)), value.text)
    } else if ('items' in value) {
      parts.push(u32(value.itemCode), u64(value.claimed ?? BigInt(value.items.length)))
      for (const item of value.items) {
        if (value.itemCode === 8) parts.push(u64(BigInt(item.length)))
        parts.push(item)
      }
    } else {
      parts.push(value.bytes)
    }
  }
  for (const { name, dimensions, type, offset } of draft.tensors) {
    parts.push(u64(BigInt(name.length)), name, u32(dimensions.length))
    parts.push(...dimensions.map(u64), u32(type), u64(offset))
  }
  const head = Buffer.concat(parts)
  return Buffer.concat([head, Buffer.alloc((alignment - (head.length % alignment)) % alignment)])
}

/** 32 bits, little-endian; higher bits are dropped. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

/** 64 bits, little-endian; higher bits are dropped. */
export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
  return bytes
}

/** The name of a key or tensor, one character for each byte. */
export function keyName({ name }: { readonly name: Uint8Array }): string {
  return Buffer.from(name).toString('latin1')
}
