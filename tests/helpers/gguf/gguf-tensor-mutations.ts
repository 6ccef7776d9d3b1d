import { BLOCKS, type DraftTensor, type GgufDraft, keyName, u32 } from './gguf-draft.js'
import type { DraftChange } from './gguf-key-mutations.js'
import {
  BAD_UTF8,
  type Draw,
  f32,
  LARGE_NUMBERS,
  otherName,
  REAL_NUMBERS,
  TOKENS,
} from './gguf-mutation-values.js'

const changeTokens: DraftChange = (draft, random) => {
  const lists = draft.keys.filter(
    ({ value }) => 'items' in value && value.items.length > 0 && value.code === 9,
  )
  if (lists.length === 0) return null
  const key = random.of(lists)
  if (!('items' in key.value)) return null
  const { items, itemCode } = key.value
  const at = random.below(items.length)
  const name = keyName(key)
  switch (random.below(6)) {
    case 0:
      items.splice(at, random.of([1, 1, 10, items.length]))
      return `${name} is shorter from ${at}`
    case 1:
      items.push(items[at] ?? u32(0))
      return `${name} has item ${at} twice`
    case 2:
      items[at] = items[random.below(items.length)] ?? u32(0)
      return `${name} has another item ${at} instead`
    default: {
      if (itemCode === 8) {
        items[at] = random.chance(0.3)
          ? Buffer.from(random.of(BAD_UTF8))
          : Buffer.from(random.of(TOKENS))
      } else if (itemCode === 6) {
        items[at] = f32(random.of(REAL_NUMBERS))
      } else {
        items[at] = u32(random.of([0, 1, 2, 3, 4, 5, 6, 6, 6, 7, -1, 1 << 30]))
      }
      return `${name} has a changed item ${at}`
    }
  }
}

/** Keeps the sizes of vocabulary and embedding equal, so that later checks are reached. */
const dropLastTokens: DraftChange = (draft, random) => {
  const count = random.of([1, 5, 100])
  for (const key of draft.keys) {
    const { value } = key
    const name = keyName(key)
    if ('items' in value && /ggml\.(tokens|scores|token_type)$/.test(name)) {
      value.items.splice(Math.max(1, value.items.length - count))
    }
  }
  const embedding = draft.tensors.find((tensor) => keyName(tensor) === 'token_embd.weight')
  const rows = embedding?.dimensions[1] ?? 1n
  if (embedding !== undefined) {
    embedding.dimensions[1] = rows > BigInt(count) ? rows - BigInt(count) : 1n
  }
  return `tensor and tokenizer without the last ${count} tokens`
}

const changeTensor: DraftChange = (draft, random) => {
  const tensor = drawTensor(draft, random)
  const name = keyName(tensor)
  const axis = random.below(Math.max(1, tensor.dimensions.length))
  switch (random.below(9)) {
    case 0: {
      const before = tensor.dimensions[axis] ?? 0n
      tensor.dimensions[axis] = random.chance(0.5)
        ? before + random.of([-1n, 1n, 32n, -32n, before])
        : random.of(LARGE_NUMBERS)
      return `tensor ${name} axis ${axis}: ${before} -> ${tensor.dimensions[axis]}`
    }
    case 1:
      tensor.dimensions.reverse()
      return `tensor ${name} turned`
    case 2:
      if (random.chance(0.5)) tensor.dimensions.push(random.of([1n, 1n, 2n]))
      else tensor.dimensions.pop()
      return `tensor ${name} with ${tensor.dimensions.length} axes`
    case 3:
    case 4:
    case 5: {
      const known = Object.keys(BLOCKS).map(Number)
      tensor.type = random.chance(0.85) ? random.of(known) : random.of([4, 5, 31, 43, 99, 1 << 31])
      return `tensor ${name} of the type ${tensor.type}`
    }
    case 6:
      tensor.offset = random.chance(0.5)
        ? tensor.offset + random.of([32n, -32n, 1n, 8n, 64n])
        : random.of(LARGE_NUMBERS)
      return `tensor ${name} with the offset ${tensor.offset}`
    case 7: {
      const other = drawTensor(draft, random)
      const { offset } = tensor
      tensor.offset = other.offset
      other.offset = offset
      return `tensor ${name} swaps its offset with ${keyName(other)}`
    }
    default: {
      const other = drawTensor(draft, random)
      const { dimensions } = tensor
      tensor.dimensions = other.dimensions
      other.dimensions = dimensions
      return `tensor ${name} swaps axes with ${keyName(other)}`
    }
  }
}

const changeTensorList: DraftChange = (draft, random) => {
  const at = random.below(draft.tensors.length)
  const tensor = drawTensor(draft, random)
  const name = keyName(tensor)
  switch (random.below(5)) {
    case 0:
      draft.tensors.splice(at, 1)
      return `tensor ${at} left out`
    case 1:
      draft.tensors.push({ ...tensor })
      return `tensor ${name} twice`
    case 2:
      tensor.name = otherName(tensor.name, random)
      return `tensor ${name} -> ${JSON.stringify(keyName(tensor)).slice(0, 60)}`
    case 3: {
      const other = drawTensor(draft, random)
      const before = tensor.name
      tensor.name = other.name
      other.name = before
      return `tensor ${name} swaps names with ${keyName(tensor)}`
    }
    default: {
      const added = random.of(['output.weight', 'rope_freqs.weight', 'blk.0.attn_q.bias', 'extra'])
      draft.tensors.push({
        name: Buffer.from(added),
        dimensions: random.chance(0.5) ? [...tensor.dimensions] : [random.of([8n, 16n, 32n])],
        type: random.of([0, 0, 1, 8]),
        offset: 0n,
      })
      return `tensor ${added} added`
    }
  }
}

function drawTensor(draft: GgufDraft, random: Draw): DraftTensor {
  if (draft.tensors.length > 0) return random.of(draft.tensors)
  return { name: Buffer.alloc(0), dimensions: [], type: 0, offset: 0n }
}

/** Weighted by repetition. */
export const TENSOR_CHANGES: readonly DraftChange[] = [
  changeTokens,
  changeTokens,
  dropLastTokens,
  changeTensor,
  changeTensor,
  changeTensor,
  changeTensorList,
  changeTensorList,
]
