import { StarlingError } from '../../errors/starling-error.js'
import type { OnnxGraph } from '../onnx/onnx-graph.js'
import type { OnnxTensor } from '../onnx/onnx-tensor.js'

/** A matrix of eight-bit weights: each is `value x scale`. */
export interface QuantizedMatrix {
  readonly rows: number
  readonly columns: number
  /** Row by row. */
  readonly values: Int8Array
  readonly scale: number
}

/**
 * Finds a matrix in the form that the quantiser of ONNX Runtime writes: NAME_quantized, NAME_scale and
 * NAME_zero_point, one scale and one zero point for the whole matrix, a weight being `(quantized - zero
 * point) x scale`. The zero point is subtracted here, exactly.
 *
 * @throws StarlingError MODEL_INVALID when a part is missing, does not have the shape `rows` by
 *   `columns`, or a weight does not fit into a signed byte after the subtraction
 */
export function quantizedMatrix(
  graph: OnnxGraph,
  name: string,
  rows: number,
  columns: number,
): QuantizedMatrix {
  const quantized = tensorNamed(graph, `${name}_quantized`)
  const zeroPoint = tensorNamed(graph, `${name}_zero_point`)
  const scale = float32Values(graph, `${name}_scale`, [])[0] ?? Number.NaN
  if (!sameLengths(quantized.dimensions, [rows, columns])) {
    throw invalid(
      quantized.name,
      `is [${quantized.dimensions.join(', ')}], not [${rows}, ${columns}]`,
    )
  }
  if (zeroPoint.bytes.length !== 1 || zeroPoint.elementType !== quantized.elementType) {
    throw invalid(zeroPoint.name, `is not a single ${quantized.elementType}`)
  }
  // From 2^-14 up, half precision has 11 significant bits; the scales of trained networks are in this range.
  if (!(scale >= 2 ** -14 && scale <= 1)) throw invalid(`${name}_scale`, `is ${scale}`)
  return { rows, columns, values: withoutZeroPoint(quantized, zeroPoint), scale }
}

/**
 * The numbers of a float32 tensor.
 *
 * @throws StarlingError MODEL_INVALID when it is missing, of another type, or of another shape
 */
export function float32Values(
  graph: OnnxGraph,
  name: string,
  dimensions: readonly number[],
): Float32Array {
  const tensor = tensorNamed(graph, name)
  if (tensor.elementType !== 'float32' || !sameLengths(tensor.dimensions, dimensions)) {
    throw invalid(
      name,
      `is ${tensor.elementType} [${tensor.dimensions.join(', ')}], not float32 [${dimensions.join(', ')}]`,
    )
  }
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.length)
  return Float32Array.from({ length: tensor.bytes.length / 4 }, (_, index) =>
    view.getFloat32(index * 4, true),
  )
}

/** The same matrix with rows and columns exchanged. */
export function transposed(matrix: QuantizedMatrix): QuantizedMatrix {
  const { rows, columns, values, scale } = matrix
  const result = new Int8Array(values.length)
  // In tiles: a whole column at a time would leave the processor's cache at each step.
  const tile = 64
  for (let firstRow = 0; firstRow < rows; firstRow += tile) {
    const lastRow = Math.min(firstRow + tile, rows)
    for (let column = 0; column < columns; column++) {
      for (let row = firstRow; row < lastRow; row++) {
        result[column * rows + row] = values[row * columns + column] ?? 0
      }
    }
  }
  return { rows: columns, columns: rows, values: result, scale }
}

/**
 * Puts the rows of a query or key projection into the order of llama.cpp. Rotary embeddings rotate
 * pairs of rows of a head: Hugging Face pairs row i with row i + length / 2, llama.cpp's llama
 * architecture pairs neighbours.
 */
export function withNeighbouringPairs(
  matrix: QuantizedMatrix,
  headLength: number,
): QuantizedMatrix {
  const { rows, columns, values } = matrix
  const result = new Int8Array(values.length)
  const half = headLength / 2
  for (let row = 0; row < rows; row++) {
    const inHead = row % headLength
    const target = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1)
    result.set(values.subarray(row * columns, (row + 1) * columns), target * columns)
  }
  return { ...matrix, values: result }
}

function withoutZeroPoint(quantized: OnnxTensor, zeroPoint: OnnxTensor): Int8Array {
  const { buffer, byteOffset, length } = quantized.bytes
  const zeroByte = zeroPoint.bytes[0] ?? 0
  const signed = quantized.elementType === 'int8'
  if (signed && zeroByte === 0) return new Int8Array(buffer, byteOffset, length)
  const zero = signed ? (zeroByte << 24) >> 24 : zeroByte
  const source = signed ? new Int8Array(buffer, byteOffset, length) : quantized.bytes
  const values = new Int8Array(length)
  for (let index = 0; index < length; index++) {
    const value = (source[index] ?? 0) - zero
    values[index] = value
    if (values[index] !== value) {
      throw invalid(quantized.name, `has a weight of ${value} steps, which is not a signed byte`)
    }
  }
  return values
}

function tensorNamed(graph: OnnxGraph, name: string): OnnxTensor {
  const tensor = graph.tensors.get(name)
  if (tensor === undefined)
    throw new StarlingError('MODEL_INVALID', `the ONNX file has no tensor "${name}"`)
  return tensor
}

function sameLengths(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((length, axis) => length === right[axis])
}

function invalid(name: string, what: string): StarlingError {
  return new StarlingError('MODEL_INVALID', `the ONNX tensor "${name}" ${what}`)
}
