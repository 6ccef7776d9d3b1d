import { StarlingError } from '../../errors/starling-error.js'
import { packedVarints, protobufFields } from './protobuf-fields.js'

/** The supported element types, with the size of one element in bytes. */
const ELEMENT_BYTES = { float32: 4, uint8: 1, int8: 1 } as const

/** The element type of a tensor. Others are refused. */
export type OnnxElementType = keyof typeof ELEMENT_BYTES

/** `TensorProto.DataType` of onnx.proto. */
const ELEMENT_TYPES = new Map<number, OnnxElementType>([
  [1, 'float32'],
  [2, 'uint8'],
  [3, 'int8'],
])

/** Axes of one tensor: models have up to four; more means a damaged file. */
const MAXIMUM_DIMENSIONS = 8

/** A constant of the graph: weights, a scale, a zero point. */
export interface OnnxTensor {
  readonly name: string
  /** Length of each axis, outermost first; empty for a single number. */
  readonly dimensions: readonly number[]
  readonly elementType: OnnxElementType
  /** The elements in row-major order, little-endian; often a view into the file. */
  readonly bytes: Uint8Array
}

/**
 * Decodes one `TensorProto` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * @throws StarlingError MODEL_INVALID when it is malformed, of an unsupported element type, stored in
 *   another file, or its size does not match its dimensions
 */
export function decodeOnnxTensor(message: Uint8Array): OnnxTensor {
  let name = ''
  let elementTypeCode = 0
  const dimensions: number[] = []
  let raw: Uint8Array | undefined
  const floats: Uint8Array[] = []
  const integers: bigint[] = []
  for (const field of protobufFields(message)) {
    if (field.kind === 'varint') {
      if (field.number === 1) dimensions.push(toDimension(field.value))
      else if (field.number === 2) elementTypeCode = Number(field.value)
      else if (field.number === 5) integers.push(field.value)
      else if (field.number === 14 && field.value !== 0n)
        throw invalid(name, 'is stored in another file')
    } else if (field.number === 4) {
      // float_data, packed or one by one: on the wire both are the little-endian bytes themselves.
      floats.push(field.bytes)
    } else if (field.kind === 'bytes') {
      if (field.number === 1) dimensions.push(...packedVarints(field.bytes).map(toDimension))
      else if (field.number === 5) integers.push(...packedVarints(field.bytes))
      else if (field.number === 8) name = new TextDecoder().decode(field.bytes)
      else if (field.number === 9) raw = field.bytes
    }
  }
  const elementType = ELEMENT_TYPES.get(elementTypeCode)
  if (elementType === undefined) throw invalid(name, `has the element type ${elementTypeCode}`)
  if (dimensions.length > MAXIMUM_DIMENSIONS) throw invalid(name, `has ${dimensions.length} axes`)
  const typed =
    elementType === 'float32' ? Buffer.concat(floats) : Uint8Array.from(integers, toByte)
  const bytes = raw ?? typed
  const expected = dimensions.reduce((product, length) => product * length, 1)
  if (bytes.length !== expected * ELEMENT_BYTES[elementType]) {
    throw invalid(
      name,
      `has ${bytes.length} bytes of data, which does not match [${dimensions.join(', ')}] x ${elementType}`,
    )
  }
  return { name, dimensions, elementType, bytes }
}

function toDimension(value: bigint): number {
  if (value > 0x7fffffffn) throw invalid('', `has an axis of length ${value}`)
  return Number(value)
}

/** int32_data holds bytes sign-extended to 64 bits. */
function toByte(value: bigint): number {
  return Number(BigInt.asUintN(8, value))
}

function invalid(name: string, what: string): StarlingError {
  return new StarlingError('MODEL_INVALID', `the ONNX tensor "${name}" ${what}`)
}
