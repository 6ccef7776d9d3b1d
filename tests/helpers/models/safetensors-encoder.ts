/** A tensor to be written. */
export interface TensorToWrite {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** A file with any header, valid or not, before any data. */
export function safetensorsFile(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

/** A complete, valid file. */
export function encodeSafetensors(tensors: Readonly<Record<string, TensorToWrite>>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let offset = 0
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] }
    offset += bytes.length
  }
  return safetensorsFile(header, Buffer.concat(Object.values(tensors).map(({ bytes }) => bytes)))
}
