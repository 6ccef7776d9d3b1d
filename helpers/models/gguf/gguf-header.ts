import { GGUF_MAGIC } from './gguf-file.js'
import {
  alignUp,
  checkTensorLayout,
  type GgufTensorInfo,
  readTensorInfo,
  TENSOR_INFO_MIN_BYTES,
} from './gguf-tensor-info.js'
import { BytesMissing, HeaderCursor } from './header-cursor.js'
import { invalidModel, quoted } from './invalid-model.js'
import { type GgufMetadataValue, readMetadataValue } from './metadata-decoding.js'

/** Everything before the tensor data: 2 to 20 MB in a real model. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024

/** llama.cpp compares each name with all before it; the largest models have a few thousand. */
const MAX_TENSORS = 16_384

/** Real models have 20 to 60. */
const MAX_KEYS = 4096

const MAX_KEY_BYTES = 256

/** The smallest size of a key and its value, in bytes. */
const KEY_MIN_BYTES = 13

/** Whatever the file says, ggml requires data in memory to begin at a multiple of this. */
const DEFAULT_ALIGNMENT_BYTES = 32

/** No program writes more padding. */
const MAX_ALIGNMENT_BYTES = 65_536

/** Parts of a key that are unsafe where keys become the properties of objects. */
const RESERVED_KEY_PARTS = new Set(['__proto__', 'constructor', 'prototype'])

/** Everything before the tensor data of a GGUF file, checked for consistency. */
export interface GgufHeader {
  readonly version: 2 | 3
  /** By key, in the order of the file. Lists are views of the bytes that were read. */
  readonly metadata: ReadonlyMap<string, GgufMetadataValue>
  /** By name, in the order of the file, which is that of their data. At least one. */
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>
  readonly alignmentBytes: number
  /** The offset of the tensor data in the file, in bytes. */
  readonly dataOffset: number
}

/** The header, or the least number of bytes that is needed to continue. */
export type GgufHeaderResult =
  | { readonly header: GgufHeader; readonly needsBytes?: never }
  | { readonly needsBytes: number; readonly header?: never }

/**
 * Reads the header of a GGUF file, version 2 or 3, little-endian
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), as strictly as llama.cpp, and more
 * strictly where that would end the process. A caller that passes twice the bytes each time (or
 * `needsBytes`, if that is more) reads each byte about twice.
 *
 * Time and memory are in proportion to the bytes given, whatever the header claims.
 *
 * @param bytes the beginning of the file
 * @param fileSizeBytes the size of the whole file
 * @returns `needsBytes`, more than were given and at most the size of the file, if they end too early
 * @throws StarlingError MODEL_INVALID: not GGUF, cut off, damaged, or beyond a limit
 */
export function parseGgufHeader(bytes: Uint8Array, fileSizeBytes: number): GgufHeaderResult {
  const cursor = new HeaderCursor(bytes, fileSizeBytes)
  try {
    return { header: readHeader(cursor, fileSizeBytes) }
  } catch (error) {
    if (!(error instanceof BytesMissing)) throw error
    if (error.neededBytes > MAX_HEADER_BYTES) {
      throw invalidModel(`is damaged: its header is larger than ${MAX_HEADER_BYTES} bytes`)
    }
    return { needsBytes: error.neededBytes }
  }
}

function readHeader(cursor: HeaderCursor, fileSizeBytes: number): GgufHeader {
  const version = readVersion(cursor)
  const tensorCount = cursor.count('tensors', MAX_TENSORS, TENSOR_INFO_MIN_BYTES)
  const keyCount = cursor.count('keys', MAX_KEYS, KEY_MIN_BYTES)

  const metadata = new Map<string, GgufMetadataValue>()
  for (let index = 0; index < keyCount; index++) {
    const key = readKey(cursor, index)
    if (metadata.has(key)) throw invalidModel(`is damaged: it has the key ${quoted(key)} twice`)
    metadata.set(key, readMetadataValue(cursor, key))
  }
  const alignmentBytes = alignmentOf(metadata)

  const tensors = new Map<string, GgufTensorInfo>()
  for (let index = 0; index < tensorCount; index++) {
    const tensor = readTensorInfo(cursor, index)
    if (tensors.has(tensor.name)) {
      throw invalidModel(`is damaged: it has the tensor ${quoted(tensor.name)} twice`)
    }
    tensors.set(tensor.name, tensor)
  }
  if (tensors.size === 0) throw invalidModel('contains no model: it has no tensors')
  const dataOffset = alignUp(cursor.offset, alignmentBytes)
  if (dataOffset % DEFAULT_ALIGNMENT_BYTES !== 0) {
    throw invalidModel(
      `has its data at byte ${dataOffset}, which is not a multiple of ${DEFAULT_ALIGNMENT_BYTES}`,
    )
  }
  checkTensorLayout(tensors.values(), { alignmentBytes, dataOffset, fileSizeBytes })
  return { version, metadata, tensors, alignmentBytes, dataOffset }
}

function readVersion(cursor: HeaderCursor): 2 | 3 {
  if (cursor.remainingBytes < GGUF_MAGIC.length) throw invalidModel('is not a GGUF file')
  const start = cursor.skip(GGUF_MAGIC.length)
  const magic = Buffer.from(cursor.passed(start, cursor.offset)).toString('latin1')
  if (magic !== GGUF_MAGIC) throw invalidModel('is not a GGUF file')
  const version = cursor.uint32()
  if (version === 2 || version === 3) return version
  if (version !== 0 && (version & 0xffff) === 0) {
    throw invalidModel('is a big-endian GGUF file; only little-endian files are supported')
  }
  throw invalidModel(`has GGUF version ${version}; versions 2 and 3 are supported`)
}

function readKey(cursor: HeaderCursor, index: number): string {
  const key = cursor.string(`key ${index}`, MAX_KEY_BYTES)
  if (key === '' || key.includes('\0')) throw invalidModel(`is damaged: key ${index} has no name`)
  if (key.split('.').some((part) => RESERVED_KEY_PARTS.has(part))) {
    throw invalidModel(`is damaged: it has the key ${quoted(key)}`)
  }
  return key
}

function alignmentOf(metadata: ReadonlyMap<string, GgufMetadataValue>): number {
  const alignment = metadata.get('general.alignment')
  if (alignment === undefined) return DEFAULT_ALIGNMENT_BYTES
  const bytes =
    alignment.type === 'number' && alignment.numberType === 'uint32' ? Number(alignment.value) : 0
  if (bytes < 8 || bytes > MAX_ALIGNMENT_BYTES || (bytes & (bytes - 1)) !== 0) {
    throw invalidModel('is damaged: general.alignment is not a power of two from 8 to 65536')
  }
  return bytes
}
