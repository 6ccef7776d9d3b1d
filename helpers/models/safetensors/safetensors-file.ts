import { z } from 'zod'
import { StarlingError } from '../../errors/starling-error.js'

/** The size of one element in bytes. Types that no model here has are not supported. */
const ELEMENT_BYTES = {
  F16: 2,
  F32: 4,
  BF16: 2,
  F64: 8,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const

/** The element type of a tensor, as the format names it. */
export type SafetensorsType = keyof typeof ELEMENT_BYTES

/** One tensor of the file. */
export interface SafetensorsTensor {
  readonly name: string
  readonly type: SafetensorsType
  /** Length of each axis, outermost first; empty for a single number. */
  readonly shape: readonly number[]
  /** Row by row, little-endian; a view into the file. */
  readonly bytes: Uint8Array
}

/** The first eight bytes contain the length of the header. */
const LENGTH_BYTES = 8

/** The header of a model with 10,000 tensors takes about 1.5 MB. */
export const MAX_SAFETENSORS_HEADER_BYTES = 16_777_216

/** Axes of one tensor: models have up to four; more means a damaged file. */
const MAX_DIMENSIONS = 8

const METADATA_KEY = '__metadata__'

const wholeNumber = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(wholeNumber).max(MAX_DIMENSIONS),
  data_offsets: z.tuple([wholeNumber, wholeNumber]),
})

const headerSchema = z.record(z.string(), z.unknown())

/**
 * Reads a safetensors file (https://github.com/huggingface/safetensors#format). As the format requires,
 * the tensors must cover the data without gaps or overlaps.
 *
 * @returns the tensors by name, in the order of the header
 * @throws StarlingError MODEL_INVALID when the file is damaged, cut off, or not a safetensors file
 */
export function decodeSafetensors(file: Uint8Array): ReadonlyMap<string, SafetensorsTensor> {
  const { header, data } = split(file)
  const tensors = new Map<string, SafetensorsTensor>()
  for (const [name, value] of Object.entries(header)) {
    if (name !== METADATA_KEY) tensors.set(name, readTensor(name, value, data))
  }
  checkCoverage([...tensors.values()], data)
  return tensors
}

function split(file: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  if (file.length < LENGTH_BYTES) throw invalid('it is too short')
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  const claimed = view.getBigUint64(0, true)
  if (claimed > BigInt(Math.min(file.length - LENGTH_BYTES, MAX_SAFETENSORS_HEADER_BYTES))) {
    throw invalid(`its header claims ${claimed} bytes`)
  }
  const start = LENGTH_BYTES + Number(claimed)
  let json: unknown
  try {
    json = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(LENGTH_BYTES, start)),
    )
  } catch (cause) {
    throw invalid('its header is not JSON', cause)
  }
  const header = headerSchema.safeParse(json)
  if (!header.success) throw invalid('its header is not an object')
  return { header: header.data, data: file.subarray(start) }
}

function readTensor(name: string, value: unknown, data: Uint8Array): SafetensorsTensor {
  const entry = entrySchema.safeParse(value)
  if (!entry.success) {
    const issue = entry.error.issues[0]
    throw invalidTensor(name, `is not as expected at "${issue?.path.join('.')}": ${issue?.message}`)
  }
  const { dtype, shape, data_offsets } = entry.data
  if (!isKnownType(dtype)) throw invalidTensor(name, `has elements of the type ${dtype}`)
  const [begin, end] = data_offsets
  if (begin > end || end > data.length) {
    throw invalidTensor(name, `is at bytes ${begin} to ${end} of ${data.length} bytes of data`)
  }
  const expected = shape.reduce((product, length) => product * length, ELEMENT_BYTES[dtype])
  if (end - begin !== expected) {
    throw invalidTensor(
      name,
      `has ${end - begin} bytes, which does not match [${shape.join(', ')}] x ${dtype}`,
    )
  }
  return { name, type: dtype, shape, bytes: data.subarray(begin, end) }
}

function checkCoverage(tensors: readonly SafetensorsTensor[], data: Uint8Array): void {
  const inOrder = [...tensors].sort(
    (left, right) =>
      left.bytes.byteOffset - right.bytes.byteOffset || left.bytes.length - right.bytes.length,
  )
  let next = data.byteOffset
  for (const { name, bytes } of inOrder) {
    if (bytes.byteOffset !== next) throw invalidTensor(name, 'does not begin where another ends')
    next += bytes.length
  }
  if (next !== data.byteOffset + data.length) {
    throw invalid(`${data.byteOffset + data.length - next} bytes at its end belong to no tensor`)
  }
}

function isKnownType(type: string): type is SafetensorsType {
  return Object.hasOwn(ELEMENT_BYTES, type)
}

function invalidTensor(name: string, what: string): StarlingError {
  return invalid(`its tensor "${name.slice(0, 100)}" ${what}`)
}

function invalid(what: string, cause?: unknown): StarlingError {
  return new StarlingError(
    'MODEL_INVALID',
    `the safetensors file is damaged or not a safetensors file: ${what}`,
    { cause },
  )
}
