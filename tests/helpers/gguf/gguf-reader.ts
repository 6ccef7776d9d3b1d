/** A GGUF file as the tests read it back: an independent implementation of the specification. */
export interface ReadGguf {
  readonly version: number
  readonly metadata: Record<string, unknown>
  readonly tensors: readonly {
    readonly name: string
    readonly dimensions: readonly number[]
    readonly type: number
    /** Offset from the beginning of the file. */
    readonly offset: number
  }[]
}

export function readGguf(file: Uint8Array): ReadGguf {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length)
  let offset = 4
  const skip = (length: number): number => {
    const start = offset
    offset += length
    return start
  }
  const u32 = (): number => bytes.readUInt32LE(skip(4))
  const u64 = (): number => Number(bytes.readBigUInt64LE(skip(8)))
  const text = (): string => {
    const start = skip(u64())
    return bytes.toString('utf8', start, offset)
  }
  const value = (type: number): unknown => {
    if (type === 4) return u32()
    if (type === 5) return bytes.readInt32LE(skip(4))
    if (type === 6) return bytes.readFloatLE(skip(4))
    if (type === 7) return bytes.readUInt8(skip(1)) === 1
    if (type === 8) return text()
    if (type !== 9) throw new Error(`value type ${type}`)
    const itemType = u32()
    return Array.from({ length: u64() }, () => value(itemType))
  }
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw new Error('no GGUF file')
  const version = u32()
  const tensorCount = u64()
  const metadataCount = u64()
  const metadata: Record<string, unknown> = {}
  for (let index = 0; index < metadataCount; index++) metadata[text()] = value(u32())
  const tensors = Array.from({ length: tensorCount }, () => ({
    name: text(),
    dimensions: Array.from({ length: u32() }, u64),
    type: u32(),
    offset: u64(),
  }))
  const dataStart = Math.ceil(offset / 32) * 32
  return {
    version,
    metadata,
    tensors: tensors.map((tensor) => ({ ...tensor, offset: dataStart + tensor.offset })),
  }
}
