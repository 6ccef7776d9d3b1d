import { StarlingError } from '../../errors/starling-error.js'

/**
 * One field of a Protocol Buffers message, as it is encoded. The bytes of a `bytes` or `fixed` field
 * are a view into the message, not a copy.
 */
export type ProtobufField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'fixed' | 'bytes'; readonly bytes: Uint8Array }

const WIRE_VARINT = 0
const WIRE_FIXED_64 = 1
const WIRE_BYTES = 2
const WIRE_FIXED_32 = 5

/** A 64-bit number takes at most ten groups of seven bits. */
const VARINT_MAXIMUM_BYTES = 10

/**
 * The fields of one Protocol Buffers message, in the order in which they were written.
 * Format: https://protobuf.dev/programming-guides/encoding/ (groups, which are deprecated, are
 * refused).
 *
 * @throws StarlingError MODEL_INVALID when the bytes end inside a field or are not Protocol Buffers
 */
export function* protobufFields(message: Uint8Array): Generator<ProtobufField, void, void> {
  const cursor = { offset: 0 }
  while (cursor.offset < message.length) {
    const tag = readVarint(message, cursor)
    const number = Number(tag >> 3n)
    if (number < 1 || number > 0x1fffffff) throw malformed(`field number ${number}`, cursor.offset)
    const wireType = Number(tag & 7n)
    switch (wireType) {
      case WIRE_VARINT:
        yield { number, kind: 'varint', value: readVarint(message, cursor) }
        break
      case WIRE_FIXED_64:
        yield { number, kind: 'fixed', bytes: take(message, cursor, 8) }
        break
      case WIRE_BYTES: {
        const length = readVarint(message, cursor)
        yield { number, kind: 'bytes', bytes: take(message, cursor, Number(length)) }
        break
      }
      case WIRE_FIXED_32:
        yield { number, kind: 'fixed', bytes: take(message, cursor, 4) }
        break
      default:
        throw malformed(`wire type ${wireType} in field ${number}`, cursor.offset)
    }
  }
}

/**
 * The numbers of a packed repeated varint field.
 *
 * @throws StarlingError MODEL_INVALID when the last one is cut off
 */
export function packedVarints(bytes: Uint8Array): bigint[] {
  const cursor = { offset: 0 }
  const values: bigint[] = []
  while (cursor.offset < bytes.length) values.push(readVarint(bytes, cursor))
  return values
}

interface Cursor {
  offset: number
}

function readVarint(bytes: Uint8Array, cursor: Cursor): bigint {
  const start = cursor.offset
  // Nearly all are short: up to 28 bits, plain numbers are used, and bigint only beyond.
  let low = 0
  for (let index = 0; index < VARINT_MAXIMUM_BYTES; index++) {
    const byte = bytes[cursor.offset]
    if (byte === undefined) throw malformed('a number that is cut off', start)
    cursor.offset++
    if (index < 4) low |= (byte & 0x7f) << (7 * index)
    if (byte < 0x80) return index < 4 ? BigInt(low) : wideVarint(bytes, start, cursor.offset)
  }
  throw malformed(`a number of more than ${VARINT_MAXIMUM_BYTES} bytes`, start)
}

function wideVarint(bytes: Uint8Array, start: number, end: number): bigint {
  let value = 0n
  for (let offset = end - 1; offset >= start; offset--) {
    value = (value << 7n) | BigInt((bytes[offset] ?? 0) & 0x7f)
  }
  return BigInt.asUintN(64, value)
}

function take(bytes: Uint8Array, cursor: Cursor, length: number): Uint8Array {
  const start = cursor.offset
  if (length > bytes.length - start) {
    throw malformed(`a field of ${length} bytes where ${bytes.length - start} are left`, start)
  }
  cursor.offset = start + length
  return bytes.subarray(start, cursor.offset)
}

function malformed(what: string, offset: number): StarlingError {
  return new StarlingError(
    'MODEL_INVALID',
    `the ONNX file is damaged or not an ONNX file: it has ${what} (at byte ${offset} of a message)`,
  )
}
