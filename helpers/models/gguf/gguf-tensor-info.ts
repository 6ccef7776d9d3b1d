import { type GgmlType, ggmlType } from './ggml-types.js'
import type { HeaderCursor } from './header-cursor.js'
import { invalidModel, quoted } from './invalid-model.js'

/** llama.cpp stores names in 64 bytes, the last of which is zero. */
const MAX_NAME_BYTES = 63

const MAX_DIMENSIONS = 4

/** The description of one tensor in a header. */
export interface GgufTensorInfo {
  readonly name: string
  /** Length of each axis, innermost (contiguous) first, 1 to 4 of them, each at least 1. */
  readonly dimensions: readonly number[]
  readonly type: GgmlType
  readonly elements: number
  readonly sizeBytes: number
  /** From the beginning of the file's tensor data. */
  readonly offset: number
}

/** The smallest size of one in a header: lengths, an empty name, one axis. */
export const TENSOR_INFO_MIN_BYTES = 32

/**
 * Reads one tensor's description.
 *
 * @throws BytesMissing; StarlingError MODEL_INVALID if its name is empty or too long for llama.cpp, it
 *   does not have 1 to 4 axes, an axis has no elements or more than 2^53, its type is unknown, or its
 *   rows are not whole blocks of that type
 */
export function readTensorInfo(cursor: HeaderCursor, index: number): GgufTensorInfo {
  const name = cursor.string(`the name of tensor ${index}`, MAX_NAME_BYTES)
  const tensor = `the tensor ${quoted(name)}`
  if (name === '' || name.includes('\0'))
    throw invalidModel(`is damaged: tensor ${index} has no name`)
  const axes = cursor.uint32()
  if (axes < 1 || axes > MAX_DIMENSIONS) {
    throw invalidModel(`is damaged: ${tensor} has ${axes} axes, not 1 to ${MAX_DIMENSIONS}`)
  }
  const dimensions: number[] = []
  let elements = 1
  for (let axis = 0; axis < axes; axis++) {
    const length = Number(cursor.uint64())
    elements *= length
    if (!Number.isSafeInteger(elements) || elements < 1) {
      throw invalidModel(`is damaged: ${tensor} has an axis of ${length} elements`)
    }
    dimensions.push(length)
  }
  const code = cursor.uint32()
  const type = ggmlType(code)
  if (type === undefined) throw invalidModel(`is damaged: ${tensor} has the unknown type ${code}`)
  if ((dimensions[0] ?? 0) % type.blockElements !== 0) {
    throw invalidModel(
      `is damaged: ${tensor} has rows of ${dimensions[0]} elements; ${type.name} packs ` +
        `${type.blockElements} at a time`,
    )
  }
  const sizeBytes = (elements / type.blockElements) * type.blockBytes
  if (!Number.isSafeInteger(sizeBytes)) throw invalidModel(`is damaged: ${tensor} is too large`)
  const offset = cursor.uint64()
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalidModel(`is damaged: ${tensor} is at byte ${offset} of the data`)
  }
  return { name, dimensions, type, elements, sizeBytes, offset: Number(offset) }
}

/**
 * Checks the positions of the tensors: aligned, in sequence without overlap or gap (llama.cpp accepts
 * no other order), and inside the file.
 *
 * @param dataOffset the offset of the tensor data in the file
 * @throws StarlingError MODEL_INVALID
 */
export function checkTensorLayout(
  tensors: Iterable<GgufTensorInfo>,
  {
    alignmentBytes,
    dataOffset,
    fileSizeBytes,
  }: {
    readonly alignmentBytes: number
    readonly dataOffset: number
    readonly fileSizeBytes: number
  },
): void {
  let expected = 0
  for (const { name, offset, sizeBytes } of tensors) {
    const tensor = `the tensor ${quoted(name)}`
    if (offset % alignmentBytes !== 0) {
      throw invalidModel(`is damaged: ${tensor} is not aligned to ${alignmentBytes} bytes`)
    }
    if (offset !== expected) {
      const wrong = offset < expected ? 'overlaps the one before it' : 'leaves a gap before it'
      throw invalidModel(`is damaged: ${tensor} ${wrong}`)
    }
    const end = dataOffset + offset + sizeBytes
    if (end > fileSizeBytes) {
      throw invalidModel(
        `is cut off: ${tensor} ends at byte ${end}, but the file has ${fileSizeBytes} bytes`,
      )
    }
    expected = alignUp(offset + sizeBytes, alignmentBytes)
  }
}

/** The next multiple of `alignmentBytes`, or the offset itself if it is one. */
export function alignUp(offset: number, alignmentBytes: number): number {
  return Math.ceil(offset / alignmentBytes) * alignmentBytes
}
