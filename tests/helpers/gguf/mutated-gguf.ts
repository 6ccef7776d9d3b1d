import { BYTE_CHANGES } from './gguf-byte-mutations.js'
import { copyDraft, type GgufDraft, layOut, writeHead } from './gguf-draft.js'
import { KEY_CHANGES } from './gguf-key-mutations.js'
import { Draw } from './gguf-mutation-values.js'
import { TENSOR_CHANGES } from './gguf-tensor-mutations.js'

/** A mutated model file. */
export interface GgufMutant {
  readonly seed: number
  /** Descriptions of the mutations. */
  readonly changes: readonly string[]
  /** Everything before the tensor data. */
  readonly head: Uint8Array
  /** Size of the whole file: tensor data follows the header, then zeros. */
  readonly sizeBytes: number
  readonly data: Uint8Array
}

/** Mutated tensors may make a file longer, up to this size. Beyond it, the file is too short for them. */
const LONGEST_FILE_BYTES = 16 * 1024 * 1024

const CHANGES = [...KEY_CHANGES, ...TENSOR_CHANGES]

/**
 * Mutates a model file: bytes, counts, lengths, types, values, keys, tensors, tokens, offsets
 * and the end of the file. The same seed always makes the same mutant.
 *
 * @param base a complete, valid file; not changed
 */
export function mutateGguf(base: GgufDraft, seed: number): GgufMutant {
  // Adjacent seeds begin with similar numbers, so the first draws are discarded.
  const random = new Draw(Math.imul(seed + 1, 0x9e37_79b1))
  for (let skipped = 0; skipped < 4; skipped++) random.fraction()

  const draft = copyDraft(base)
  const changes: string[] = []
  const rounds = random.of([1, 1, 1, 1, 2, 3])
  let laidOut = false
  let bytesOnly = false
  for (let round = 0; round < rounds; round++) {
    if (random.chance(0.15)) {
      bytesOnly = true
      continue
    }
    const what = random.of(CHANGES)(draft, random)
    if (what === null) continue
    changes.push(what)
    // In most cases, so that the checks after the layout are reached.
    if (what.startsWith('tensor') && !what.includes('offset') && random.chance(0.8)) laidOut = true
  }
  let dataBytes = BigInt(base.data.length)
  if (laidOut) {
    dataBytes = layOut(draft)
    changes.push('laid out')
  }
  const alignment = random.chance(0.98) ? 32 : random.of([1, 8, 16, 64])
  let head = writeHead(draft, alignment)
  if (bytesOnly || changes.length === 0) {
    const change = random.of(BYTE_CHANGES)(head, random)
    head = change.head
    changes.push(change.what)
  }
  const room = BigInt(LONGEST_FILE_BYTES)
  let sizeBytes = head.length + Number(dataBytes <= room ? dataBytes : BigInt(base.data.length))
  if (random.chance(0.06)) {
    sizeBytes = random.chance(0.5) ? random.below(head.length) : sizeBytes - 1 - random.below(64)
    changes.push(`cut off at ${sizeBytes}`)
  }
  return { seed, changes, head, sizeBytes, data: base.data }
}

/** The bytes of the mutant's file. */
export function mutantFile({ head, data, sizeBytes }: GgufMutant): Buffer {
  const file = Buffer.alloc(sizeBytes)
  file.set(head.subarray(0, sizeBytes))
  file.set(data.subarray(0, Math.max(0, sizeBytes - head.length)), Math.min(head.length, sizeBytes))
  return file
}
