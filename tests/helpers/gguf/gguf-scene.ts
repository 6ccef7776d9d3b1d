import { type GgufHeader, parseGgufHeader } from '../../../helpers/models/gguf/gguf-header.js'
import {
  type GgufModelFacts,
  ggufModelFacts,
} from '../../../helpers/models/gguf/gguf-model-facts.js'
import {
  copyDraft,
  type DraftTensor,
  type DraftValue,
  type GgufDraft,
  keyName,
  layOut,
  readDraft,
  u32,
  u64,
  writeHead,
} from './gguf-draft.js'
import { type SyntheticKind, syntheticGguf } from './synthetic-gguf.js'

const drafts = new Map<SyntheticKind, GgufDraft>()

/** A small complete model, parsed so that a test can change it. */
export function syntheticDraft(kind: SyntheticKind = 'llama'): GgufDraft {
  const draft = drafts.get(kind) ?? readDraft(syntheticGguf(kind))
  drafts.set(kind, draft)
  return copyDraft(draft)
}

export const whole = (value: number): DraftValue => ({ code: 4, bytes: u32(value) })
export const text = (value: string): DraftValue => ({ code: 8, text: Buffer.from(value) })
export const bool = (value: boolean): DraftValue => ({ code: 7, bytes: Uint8Array.of(+value) })

export function real(value: number): DraftValue {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return { code: 6, bytes }
}

export function texts(items: readonly (string | Uint8Array)[]): DraftValue {
  return { code: 9, itemCode: 8, items: items.map((item) => Buffer.from(item)) }
}

export function wholes(items: readonly number[], itemCode = 5): DraftValue {
  const bytes = itemCode >= 10 ? (item: number) => u64(BigInt(item)) : u32
  return { code: 9, itemCode, items: items.map(bytes) }
}

/** Sets a key, or removes it with null. */
export function setKey(draft: GgufDraft, name: string, value: DraftValue | null): GgufDraft {
  const at = draft.keys.findIndex((key) => keyName(key) === name)
  if (at >= 0) draft.keys.splice(at, 1, ...(value === null ? [] : [{ ...key(name), value }]))
  else if (value !== null) draft.keys.push({ ...key(name), value })
  return draft
}

/** The synthetic llama under another architecture's name. */
export function renamedDraft(architecture: string): GgufDraft {
  const draft = setKey(syntheticDraft(), 'general.architecture', text(architecture))
  for (const key of draft.keys) {
    key.name = Buffer.from(keyName(key).replace(/^llama\./, `${architecture}.`))
  }
  return draft
}

/** The items of an existing list; may be changed. */
export function itemsOf(draft: GgufDraft, name: string): Uint8Array[] {
  const value = draft.keys.find((one) => keyName(one) === name)?.value
  if (value === undefined || !('items' in value)) throw new RangeError(`there is no list ${name}`)
  return value.items
}

/** An existing tensor; may be changed. */
export function tensorOf(draft: GgufDraft, name: string): DraftTensor {
  const tensor = draft.tensors.find((one) => keyName(one) === name)
  if (tensor === undefined) throw new RangeError(`there is no tensor ${name}`)
  return tensor
}

/** The whole file. With a new layout, all tensors are complete and at their correct offsets. */
export function fileOf(draft: GgufDraft, { laidOut = false } = {}): Buffer {
  const dataBytes = laidOut ? Number(layOut(draft)) : draft.data.length
  const data = Buffer.alloc(dataBytes)
  data.set(draft.data.subarray(0, dataBytes))
  return Buffer.concat([writeHead(draft), data])
}

/** The header of a complete file. */
export function headerOf(file: Uint8Array, sizeBytes = file.length): GgufHeader {
  const { header, needsBytes } = parseGgufHeader(file, sizeBytes)
  if (header === undefined) throw new RangeError(`${needsBytes} bytes are needed`)
  return header
}

export function factsOf(file: Uint8Array): GgufModelFacts {
  return ggufModelFacts(headerOf(file))
}

function key(name: string): { readonly name: Uint8Array } {
  return { name: Buffer.from(name) }
}
