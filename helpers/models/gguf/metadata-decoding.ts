import type { HeaderCursor } from './header-cursor.js'
import { invalidModel, quoted } from './invalid-model.js'

/** The types of a single number, by their code; null for types that are not numbers. */
const NUMBER_TYPES = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'float32',
  null,
  null,
  null,
  'uint64',
  'int64',
  'float64',
] as const

const CODE_BOOL = 7
const CODE_STRING = 8
const CODE_ARRAY = 9

const NUMBER_BYTES = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  uint64: 8,
  int64: 8,
  float64: 8,
} as const

/** How a number is stored in the file. */
export type GgufNumberType = keyof typeof NUMBER_BYTES

/** A list of numbers or booleans (1 and 0), decoded when an item is read. */
export interface GgufNumbers {
  readonly type: 'numbers'
  readonly itemType: GgufNumberType | 'bool'
  readonly length: number
  /** The item at an index from 0; 64-bit numbers beyond 2^53 are rounded. NaN outside of the list. */
  at(index: number): number
}

/** A list of texts, decoded when an item is read. */
export interface GgufStrings {
  readonly type: 'strings'
  readonly length: number
  /**
   * The bytes of the item at an index from 0, which need not be UTF-8; not copied. Empty outside of the
   * list.
   */
  at(index: number): Uint8Array
}

/** The value of a key. 64-bit integers are bigint. */
export type GgufMetadataValue =
  | {
      readonly type: 'number'
      readonly numberType: GgufNumberType
      readonly value: number | bigint
    }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufNumbers
  | GgufStrings

/**
 * Reads one value, its type code first. The memory of lists is in proportion to the bytes that are present.
 *
 * @param key for messages
 * @throws BytesMissing; StarlingError MODEL_INVALID for an unknown type, a list of lists (llama.cpp
 *   does not support them), a text that is not UTF-8, or a length beyond the limits or the file
 */
export function readMetadataValue(cursor: HeaderCursor, key: string): GgufMetadataValue {
  const code = cursor.uint32()
  if (code === CODE_BOOL) return { type: 'bool', value: readNumber(cursor, 'uint8') !== 0 }
  if (code === CODE_STRING)
    return { type: 'string', value: cursor.string(`the text ${quoted(key)}`) }
  if (code === CODE_ARRAY) return readArray(cursor, key)
  const numberType = NUMBER_TYPES[code]
  if (!numberType)
    throw invalidModel(`is damaged: the key ${quoted(key)} has the unknown type ${code}`)
  return { type: 'number', numberType, value: readNumber(cursor, numberType) }
}

function readNumber(cursor: HeaderCursor, numberType: GgufNumberType): number | bigint {
  const start = cursor.skip(NUMBER_BYTES[numberType])
  return numberAt(viewOf(cursor.passed(start, cursor.offset)), numberType, 0)
}

function readArray(cursor: HeaderCursor, key: string): GgufNumbers | GgufStrings {
  const code = cursor.uint32()
  if (code === CODE_ARRAY) {
    throw invalidModel(`is damaged: the key ${quoted(key)} is a list of lists`)
  }
  if (code === CODE_STRING) return readStrings(cursor, key)
  const itemType = code === CODE_BOOL ? 'bool' : NUMBER_TYPES[code]
  if (!itemType) {
    throw invalidModel(`is damaged: the list ${quoted(key)} has items of the unknown type ${code}`)
  }
  const storedAs = itemType === 'bool' ? 'uint8' : itemType
  const itemBytes = NUMBER_BYTES[storedAs]
  const length = cursor.listLength(`items of ${quoted(key)}`, itemBytes)
  const start = cursor.skip(length * itemBytes)
  const view = viewOf(cursor.passed(start, cursor.offset))
  return {
    type: 'numbers',
    itemType,
    length,
    at(index) {
      if (!(index >= 0 && index < length)) return Number.NaN
      const value = Number(numberAt(view, storedAs, index * itemBytes))
      return itemType === 'bool' && value !== 0 ? 1 : value
    },
  }
}

function readStrings(cursor: HeaderCursor, key: string): GgufStrings {
  const length = cursor.listLength(`texts in ${quoted(key)}`, 8)
  const start = cursor.offset
  // Grows with what is read: the claimed length alone takes no memory.
  let ends = new Uint32Array(Math.min(length, 1024))
  const what = `a text of ${quoted(key)}`
  for (let index = 0; index < length; index++) {
    cursor.stringBytes(what)
    if (index === ends.length) {
      const grown = new Uint32Array(Math.min(length, ends.length * 2))
      grown.set(ends)
      ends = grown
    }
    ends[index] = cursor.offset - start
  }
  const bytes = cursor.passed(start, cursor.offset)
  return {
    type: 'strings',
    length,
    at(index) {
      const from = index === 0 ? 0 : ends[index - 1]
      return from === undefined
        ? bytes.subarray(0, 0)
        : bytes.subarray(from + 8, ends[index] ?? from)
    },
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function numberAt(view: DataView, numberType: GgufNumberType, offset: number): number | bigint {
  switch (numberType) {
    case 'uint8':
      return view.getUint8(offset)
    case 'int8':
      return view.getInt8(offset)
    case 'uint16':
      return view.getUint16(offset, true)
    case 'int16':
      return view.getInt16(offset, true)
    case 'uint32':
      return view.getUint32(offset, true)
    case 'int32':
      return view.getInt32(offset, true)
    case 'float32':
      return view.getFloat32(offset, true)
    case 'uint64':
      return view.getBigUint64(offset, true)
    case 'int64':
      return view.getBigInt64(offset, true)
    case 'float64':
      return view.getFloat64(offset, true)
  }
}
