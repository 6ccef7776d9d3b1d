import test from 'brittle'
import { parseGgufHeader } from '../../../../../helpers/models/gguf/gguf-header.js'
import { u32, u64, writeHead } from '../../../../helpers/gguf/gguf-draft.js'
import {
  fileOf,
  headerOf,
  setKey,
  syntheticDraft,
  tensorOf,
  text,
  texts,
  whole,
  wholes,
} from '../../../../helpers/gguf/gguf-scene.js'
import { syntheticGguf } from '../../../../helpers/gguf/synthetic-gguf.js'

const INVALID = { code: 'MODEL_INVALID' }

/** The message that a file is refused with, or null. */
function refusal(file: Uint8Array, sizeBytes = file.length): string | null {
  try {
    parseGgufHeader(file, sizeBytes)
    return null
  } catch (error) {
    if (Object(error).code !== INVALID.code) throw error
    return Object(error).message
  }
}

test('should know keys, tensors and where the data begin when a file is whole', (t) => {
  const file = syntheticGguf('llama')
  const header = headerOf(file)
  t.is(header.version, 3)
  t.is(header.alignmentBytes, 32)
  t.is(header.dataOffset % 32, 0)
  t.alike(header.metadata.get('llama.block_count'), {
    type: 'number',
    numberType: 'uint32',
    value: 2,
  })
  t.alike(header.metadata.get('general.architecture'), { type: 'string', value: 'llama' })
  const tokens = header.metadata.get('tokenizer.ggml.tokens')
  t.is(tokens?.type === 'strings' && Buffer.from(tokens.at(1)).toString(), '<s>')
  t.is(tokens?.type === 'strings' && tokens.at(5_000).length, 0)
  const types = header.metadata.get('tokenizer.ggml.token_type')
  t.alike(types?.type === 'numbers' && [types.at(0), types.at(1), types.at(-1)], [2, 3, Number.NaN])
  const [name, embedding] = [...header.tensors][0] ?? []
  t.is(name, 'token_embd.weight')
  t.alike(embedding?.dimensions, [32, 267])
  t.is(embedding?.type.name, 'Q8_0')
  t.is(embedding?.elements, 32 * 267)
  t.is(embedding?.sizeBytes, 34 * 267)
})

test('should read every type of number when keys have them', (t) => {
  const draft = syntheticDraft()
  const bytes = u64(0xfedc_ba98_7654_3210n)
  const sizes: readonly [number, number][] = [
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 4],
    [5, 4],
    [10, 8],
    [11, 8],
  ]
  for (const [code, size] of sizes) {
    setKey(draft, `a.${code}`, { code, bytes: bytes.subarray(0, size) })
    setKey(draft, `b.${code}`, { code: 9, itemCode: code, items: [bytes.subarray(0, size)] })
  }
  setKey(draft, 'b.bool', { code: 9, itemCode: 7, items: [Uint8Array.of(2), Uint8Array.of(0)] })
  const { metadata } = headerOf(fileOf(draft))
  const values = sizes.map(([code]) => Object(metadata.get(`a.${code}`)).value)
  t.alike(values, [
    0x10,
    0x10,
    0x3210,
    0x3210,
    0x7654_3210,
    0x7654_3210,
    0xfedc_ba98_7654_3210n,
    -0x0123_4567_89ab_cdf0n,
  ])
  for (const [index, [code]] of sizes.entries()) {
    const list = metadata.get(`b.${code}`)
    t.is(list?.type === 'numbers' && list.at(0), Number(values[index]))
  }
  const flags = metadata.get('b.bool')
  t.alike(flags?.type === 'numbers' && [flags.at(0), flags.at(1)], [1, 0])
})

test('should ask for more bytes, and no more than there are, when the header is not at hand', (t) => {
  const file = syntheticGguf('qwen2')
  const { dataOffset } = headerOf(file)
  let steps = 0
  for (let bytes = 0; ; steps++) {
    const { header, needsBytes } = parseGgufHeader(file.subarray(0, bytes), file.length)
    if (header !== undefined) break
    if (needsBytes <= bytes || needsBytes > dataOffset) t.fail(`${needsBytes} after ${bytes}`)
    // On from where the last reading ended, in the middle of something.
    bytes = needsBytes + 61
  }
  t.ok(steps > 50, `${steps} steps`)
})

test('should take version 2 for version 3 when a file is of it', (t) => {
  const draft = syntheticDraft()
  draft.version = 2
  t.is(headerOf(fileOf(draft)).version, 2)
})

test('should say what a file is when it is not a GGUF file that is read', (t) => {
  t.ok(refusal(Buffer.alloc(0))?.includes('not a GGUF file'))
  t.ok(refusal(Buffer.from('GGU'))?.includes('not a GGUF file'))
  t.ok(refusal(Buffer.from('GGML, and more of it, and more'))?.includes('not a GGUF file'))
  const draft = syntheticDraft()
  for (const [version, said] of [
    [0, 'version 0'],
    [1, 'version 1'],
    [4, 'version 4'],
    [0x0300_0000, 'big-endian'],
  ] as const) {
    draft.version = version
    t.ok(refusal(fileOf(draft))?.includes(said), said)
  }
})

test('should throw MODEL_INVALID when the file ends anywhere too early', (t) => {
  const file = syntheticGguf('bert')
  const needed = [...headerOf(file).tensors.values()].at(-1)
  const end = headerOf(file).dataOffset + (needed?.offset ?? 0) + (needed?.sizeBytes ?? 0)
  let wrong = 0
  for (let size = 0; size < end; size += size < 64 ? 1 : 157) {
    if (refusal(file.subarray(0, size)) === null) wrong++
  }
  t.is(wrong, 0)
  t.is(refusal(file.subarray(0, end)), null)
  t.ok(refusal(file.subarray(0, end - 1))?.includes('cut off'))
})

test('should throw MODEL_INVALID at once when counts and lengths are beyond the file', (t) => {
  for (const claim of [1n << 20n, 1n << 40n, (1n << 53n) + 1n, 1n << 63n, (1n << 64n) - 1n]) {
    for (const what of ['claimedKeys', 'claimedTensors'] as const) {
      const draft = syntheticDraft()
      draft[what] = claim
      t.ok(refusal(fileOf(draft))?.includes('claims'), `${what} ${claim}`)
    }
    const name = syntheticDraft()
    setKey(name, 'general.name', { code: 8, text: Buffer.from('x'), claimed: claim })
    t.ok(refusal(fileOf(name)) !== null)
    const list = syntheticDraft()
    setKey(list, 'list', { code: 9, itemCode: 8, items: [Buffer.from('x')], claimed: claim })
    t.ok(refusal(fileOf(list))?.includes('claims'))
    const numbers = syntheticDraft()
    setKey(numbers, 'list', { code: 9, itemCode: 10, items: [u64(1n)], claimed: claim })
    t.ok(refusal(fileOf(numbers))?.includes('claims'))
  }
})

test('should take no memory for a claim when a huge file may hold what it claims', (t) => {
  const draft = syntheticDraft()
  draft.keys.length = 0
  setKey(draft, 'list', { code: 9, itemCode: 8, items: [], claimed: 4_194_304n })
  const head = writeHead(draft).subarray(0, 24 + 8 + 4 + 4 + 4 + 8)
  const before = process.memoryUsage().arrayBuffers
  const { needsBytes } = parseGgufHeader(head, 2 ** 40)
  t.ok((needsBytes ?? 0) > head.length)
  t.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)

  setKey(draft, 'list', { code: 8, text: Buffer.alloc(0), claimed: 67_108_864n })
  const larger = writeHead(draft)
  t.ok(refusal(larger.subarray(0, 48), 2 ** 40)?.includes('header is larger'))
})

test('should throw MODEL_INVALID when all lists together have too many items', (t) => {
  const draft = syntheticDraft()
  const megabyte = Buffer.concat([u32(0), u64(1n << 20n), Buffer.alloc(1 << 20)])
  for (let list = 0; list < 3; list++) setKey(draft, `list.${list}`, { code: 9, bytes: megabyte })
  t.is(refusal(fileOf(draft)), null)
  setKey(draft, 'list.3', { code: 9, bytes: megabyte })
  t.ok(refusal(fileOf(draft))?.includes('of other lists'), 'the vocabulary counts, too')
})

test('should throw MODEL_INVALID when a key or a tensor is there twice', (t) => {
  const draft = syntheticDraft()
  draft.keys.push(...draft.keys.slice(0, 1))
  t.ok(refusal(fileOf(draft))?.includes('"general.architecture" twice'))
  const other = syntheticDraft()
  tensorOf(other, 'output_norm.weight').name = Buffer.from('blk.0.ffn_norm.weight')
  t.ok(refusal(fileOf(other))?.includes('"blk.0.ffn_norm.weight" twice'))
})

test('should throw MODEL_INVALID when names and texts are not what they may be', (t) => {
  for (const name of ['', 'a\0b', 'x'.repeat(257), '__proto__.x', 'a.constructor']) {
    t.ok(refusal(fileOf(setKey(syntheticDraft(), name, whole(1)))) !== null, JSON.stringify(name))
  }
  const draft = syntheticDraft()
  draft.keys.push({ name: Buffer.from([0xc3, 0x28]), value: whole(1) })
  t.ok(refusal(fileOf(draft))?.includes('not UTF-8'))
  const value = syntheticDraft()
  setKey(value, 'general.name', { code: 8, text: Buffer.from([0xff]) })
  t.ok(refusal(fileOf(value))?.includes('"general.name" is not UTF-8'))
  for (const name of ['', 'a\0b', 'x'.repeat(64)]) {
    const other = syntheticDraft()
    tensorOf(other, 'output_norm.weight').name = Buffer.from(name)
    t.ok(refusal(fileOf(other)) !== null, JSON.stringify(name))
  }
})

test('should throw MODEL_INVALID when a value is of no known type or a list of lists', (t) => {
  t.ok(refusal(fileOf(setKey(syntheticDraft(), 'k', { code: 13, bytes: u32(0) })))?.includes('13'))
  const list = { code: 9 as const, itemCode: 13, items: [u32(0)] }
  t.ok(refusal(fileOf(setKey(syntheticDraft(), 'k', list)))?.includes('13'))
  const deep = Buffer.concat(Array.from({ length: 20_000 }, () => [u32(9), u64(1n)]).flat())
  t.ok(refusal(fileOf(setKey(syntheticDraft(), 'k', { code: 9, bytes: deep })))?.includes('lists'))
})

test('should throw MODEL_INVALID when a tensor has axes or a type that it cannot have', (t) => {
  const cases: readonly [readonly bigint[], number, string][] = [
    [[], 0, '0 axes'],
    [[1n, 1n, 1n, 1n, 1n], 0, '5 axes'],
    [[0n], 0, 'axis of 0'],
    [[32n, 0n], 0, 'axis of 0'],
    [[1n << 63n], 0, 'axis of'],
    [[1n << 52n, 4n], 0, 'axis of'],
    [[1n << 52n], 28, 'too large'],
    [[33n], 8, '32 at a time'],
    [[32n], 4, 'unknown type 4'],
    [[32n], 43, 'unknown type 43'],
    [[32n], 0xffff_ffff, 'unknown type'],
  ]
  for (const [dimensions, type, said] of cases) {
    const draft = syntheticDraft()
    const tensor = tensorOf(draft, 'output_norm.weight')
    tensor.dimensions = [...dimensions]
    tensor.type = type
    t.ok(refusal(fileOf(draft))?.includes(said), `${dimensions.join('x')} of the type ${type}`)
  }
})

test('should throw MODEL_INVALID when tensors are not contiguous', (t) => {
  const at = (change: bigint) => {
    const draft = syntheticDraft()
    const tensor = tensorOf(draft, 'blk.0.attn_q.weight')
    tensor.offset += change
    return refusal(fileOf(draft))
  }
  t.ok(at(1n)?.includes('not aligned to 32 bytes'))
  t.ok(at(-32n)?.includes('overlaps'))
  t.ok(at(32n)?.includes('gap'))
  t.ok(at(1n << 60n)?.includes('of the data'))
  const draft = syntheticDraft()
  draft.tensors.length = 0
  t.ok(refusal(fileOf(draft))?.includes('no tensors'))
})

test('should hold tensors against the alignment when a file has its own', (t) => {
  for (const value of [whole(0), whole(4), whole(33), whole(131_072), text('32'), wholes([32])]) {
    const draft = setKey(syntheticDraft(), 'general.alignment', value)
    t.ok(refusal(fileOf(draft))?.includes('general.alignment'))
  }
  const draft = setKey(syntheticDraft(), 'general.alignment', whole(64))
  t.ok(refusal(fileOf(draft))?.includes('not aligned to 64 bytes'))
  t.is(refusal(fileOf(setKey(syntheticDraft(), 'general.alignment', whole(32)))), null)
})

test('should throw MODEL_INVALID when a small alignment puts the data where ggml takes none', (t) => {
  // One of four lengths of a name makes the header end at an odd multiple of 8 or 16.
  const said = [1, 9, 17, 25].map((length) => {
    const draft = setKey(syntheticDraft(), 'general.alignment', whole(8))
    setKey(draft, 'general.name', text('x'.repeat(length)))
    return refusal(Buffer.concat([writeHead(draft, 8), draft.data]))
  })
  t.is(said.filter((message) => message?.includes('not a multiple of 32')).length, 3)
})

test('should skip lists of texts that are not UTF-8 when they are not needed', (t) => {
  const draft = setKey(syntheticDraft(), 'general.tags', texts([Buffer.from([0xff]), 'b', '']))
  const tags = headerOf(fileOf(draft)).metadata.get('general.tags')
  t.alike(tags?.type === 'strings' && [tags.at(0), tags.at(1), tags.at(2), tags.at(-1)], [
    Buffer.from([0xff]),
    Buffer.from('b'),
    Buffer.alloc(0),
    Buffer.alloc(0),
  ])
})
