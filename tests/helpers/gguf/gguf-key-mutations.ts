import { type DraftKey, type DraftValue, type GgufDraft, keyName, u32, u64 } from './gguf-draft.js'
import {
  ADDED_BOOL,
  ADDED_LISTS,
  ADDED_REAL,
  ADDED_TEXT,
  ADDED_WHOLE,
  ARCHITECTURES,
  type Draw,
  f32,
  nearby,
  otherName,
  PRE_TOKENIZERS,
  REAL_NUMBERS,
  TEXTS,
  TOKENIZERS,
  wholeNumber,
} from './gguf-mutation-values.js'

/** Changes a draft and returns a description; null when it has nothing to change. */
export type DraftChange = (draft: GgufDraft, random: Draw) => string | null

function architectureOf(draft: GgufDraft): string {
  const key = draft.keys.find((one) => keyName(one) === 'general.architecture')
  return key !== undefined && 'text' in key.value ? Buffer.from(key.value.text).toString() : 'llama'
}

const changeWholeNumber: DraftChange = (draft, random) => {
  const keys = draft.keys.filter(({ value }) => value.code === 4)
  if (keys.length === 0) return null
  const key = random.of(keys)
  const before = 'bytes' in key.value ? Buffer.from(key.value.bytes).readUInt32LE() : 0
  const after = wholeNumber(random, before)
  key.value = { code: 4, bytes: u32(after) }
  return `${keyName(key)}: ${before} -> ${after >>> 0}`
}

const changeReal: DraftChange = (draft, random) => {
  const keys = draft.keys.filter(({ value }) => value.code === 6)
  if (keys.length === 0) return null
  const key = random.of(keys)
  const after = random.of(REAL_NUMBERS)
  key.value = { code: 6, bytes: f32(after) }
  return `${keyName(key)} -> ${after}`
}

const changeText: DraftChange = (draft, random) => {
  const keys = draft.keys.filter(({ value }) => 'text' in value)
  const key = random.of(keys)
  const name = keyName(key)
  const choices = name.endsWith('ggml.model')
    ? TOKENIZERS
    : name.endsWith('ggml.pre')
      ? PRE_TOKENIZERS
      : name === 'general.architecture'
        ? ARCHITECTURES
        : TEXTS
  const after = random.of(choices)
  key.value = { code: 8, text: Buffer.from(after) }
  return `${name} -> ${JSON.stringify(after)}`
}

/** Renames its keys, too, so that the required ones can be present. */
const changeArchitecture: DraftChange = (draft, random) => {
  const before = architectureOf(draft)
  const after = random.of(ARCHITECTURES)
  for (const key of draft.keys) {
    const name = keyName(key)
    if (name === 'general.architecture') key.value = { code: 8, text: Buffer.from(after) }
    else if (name.startsWith(`${before}.`)) {
      key.name = Buffer.from(after + name.slice(before.length))
    }
  }
  return `architecture ${before} -> ${JSON.stringify(after)}`
}

const changeType: DraftChange = (draft, random) => {
  const key = random.of(draft.keys)
  const name = keyName(key)
  const number = wholeNumber(random)
  const values: DraftValue[] = [
    { code: random.of([0, 1, 7]), bytes: Uint8Array.of(number & 0xff) },
    { code: random.of([2, 3]), bytes: u32(number).subarray(0, 2) },
    { code: random.of([5, 6]), bytes: u32(number) },
    { code: random.of([10, 11, 12]), bytes: u64(BigInt(number)) },
    { code: 8, text: Buffer.from(random.of(TEXTS)) },
    list(random, random.below(6)),
    { code: random.of([13, 99, 0xffff_ffff]), bytes: u32(number) },
  ]
  key.value = random.chance(0.2)
    ? { ...key.value, code: random.of([0, 4, 5, 6, 7, 10, 12, 13]), bytes: u32(number) }
    : random.of(values)
  return `${name} becomes of the type ${key.value.code}`
}

/** A list of numbers or texts, or of lists. */
function list(random: Draw, length: number): DraftValue {
  const itemCode = random.of([0, 4, 4, 5, 5, 6, 7, 8, 9, 10, 12])
  const item = (): Uint8Array => {
    if (itemCode === 8) return Buffer.from(random.of(TEXTS))
    if (itemCode === 9) return Buffer.concat([u32(4), u64(1n), u32(7)])
    if (itemCode === 6) return f32(random.of(REAL_NUMBERS))
    const size = itemCode === 0 || itemCode === 7 ? 1 : itemCode >= 10 ? 8 : 4
    return u64(BigInt(wholeNumber(random))).subarray(0, size)
  }
  return { code: 9, itemCode, items: Array.from({ length }, item) }
}

/** One item for each layer, as some real lists have. */
const changeToList: DraftChange = (draft, random) => {
  const keys = draft.keys.filter(({ value }) => value.code === 4)
  if (keys.length === 0) return null
  const key = random.of(keys)
  const bytes = 'bytes' in key.value ? key.value.bytes : u32(0)
  const items = Array.from({ length: random.of([1, 2, 2, 4, 4, 5, 600]) }, () =>
    random.chance(0.8) ? bytes : u32(wholeNumber(random)),
  )
  key.value = { code: 9, itemCode: random.of([4, 4, 5, 6]), items }
  return `${keyName(key)} becomes a list of ${items.length}`
}

const addKey: DraftChange = (draft, random) => {
  const prefixed = (name: string) => name.replace(/^A\./, `${architectureOf(draft)}.`)
  const [names, value] = random.of<readonly [readonly string[], () => DraftValue]>([
    [ADDED_WHOLE, () => ({ code: 4, bytes: u32(wholeNumber(random)) })],
    [ADDED_WHOLE, () => ({ code: 4, bytes: u32(wholeNumber(random)) })],
    [ADDED_REAL, () => ({ code: 6, bytes: f32(random.of(REAL_NUMBERS)) })],
    [ADDED_BOOL, () => ({ code: 7, bytes: Uint8Array.of(random.of([0, 1, 1, 255])) })],
    [ADDED_TEXT, () => ({ code: 8, text: Buffer.from(random.of(TEXTS)) })],
    [ADDED_LISTS, () => list(random, random.of([0, 1, 2, 4, 9, 1024]))],
  ])
  const name = prefixed(random.of(names))
  const added: DraftKey = { name: Buffer.from(name), value: value() }
  const at = draft.keys.findIndex((key) => keyName(key) === name)
  if (at >= 0 && random.chance(0.9)) draft.keys[at] = added
  else draft.keys.push(added)
  return `${name} is set to ${describe(added.value)}`
}

function describe(value: DraftValue): string {
  if ('text' in value) return JSON.stringify(Buffer.from(value.text).toString()).slice(0, 40)
  if ('items' in value) return `${value.items.length} items of the type ${value.itemCode}`
  if (value.code === 6) return String(Buffer.from(value.bytes).readFloatLE())
  return Buffer.from(value.bytes).toString('hex')
}

const dropKey: DraftChange = (draft, random) => {
  if (draft.keys.length === 0) return null
  const [key] = draft.keys.splice(random.below(draft.keys.length), 1)
  return `without ${key === undefined ? '' : keyName(key)}`
}

const doubleKey: DraftChange = (draft, random) => {
  const key = random.of(draft.keys)
  draft.keys.splice(random.below(draft.keys.length), 0, key)
  return `twice ${keyName(key)}`
}

const renameKey: DraftChange = (draft, random) => {
  const key = random.of(draft.keys)
  const before = keyName(key)
  key.name = otherName(key.name, random)
  return `${before} -> ${JSON.stringify(keyName(key)).slice(0, 60)}`
}

const swapValues: DraftChange = (draft, random) => {
  const [one, other] = [random.of(draft.keys), random.of(draft.keys)]
  const value = one.value
  one.value = other.value
  other.value = value
  return `${keyName(one)} <-> ${keyName(other)}`
}

const claimCount: DraftChange = (draft, random) => {
  if (random.chance(0.5)) {
    draft.claimedKeys = nearby(BigInt(draft.keys.length), random)
    return `claims ${draft.claimedKeys} keys`
  }
  draft.claimedTensors = nearby(BigInt(draft.tensors.length), random)
  return `claims ${draft.claimedTensors} tensors`
}

const claimLength: DraftChange = (draft, random) => {
  const values = draft.keys.filter(({ value }) => 'text' in value || 'items' in value)
  if (values.length === 0) return null
  const key = random.of(values)
  const length = 'text' in key.value ? key.value.text.length : 0
  const items = 'items' in key.value ? key.value.items.length : length
  const claimed = nearby(BigInt(items), random)
  if ('text' in key.value) key.value = { ...key.value, claimed }
  else if ('items' in key.value) key.value = { ...key.value, claimed }
  return `${keyName(key)} claims ${claimed} items`
}

const nestLists: DraftChange = (draft, random) => {
  const depth = random.of([1, 2, 100, 20_000])
  const inner = Buffer.concat(Array.from({ length: depth }, () => [u32(9), u64(1n)]).flat())
  const bytes = Buffer.concat([inner, u32(4), u64(0n)])
  draft.keys.push({ name: Buffer.from('deep'), value: { code: 9, bytes } })
  return `a list ${depth} deep`
}

const changeVersion: DraftChange = (draft, random) => {
  draft.version = random.of([0, 1, 2, 2, 4, 0x0300_0000, 0x0200_0000, 0xffff_ffff, 0x10003])
  return `version ${draft.version}`
}

/** Weighted by repetition. */
export const KEY_CHANGES: readonly DraftChange[] = [
  changeWholeNumber,
  changeWholeNumber,
  changeWholeNumber,
  changeReal,
  changeText,
  changeArchitecture,
  changeType,
  changeType,
  changeToList,
  addKey,
  addKey,
  addKey,
  dropKey,
  doubleKey,
  renameKey,
  swapValues,
  claimCount,
  claimLength,
  nestLists,
  changeVersion,
]
