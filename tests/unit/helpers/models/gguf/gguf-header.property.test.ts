import test from 'brittle'
import fc from 'fast-check'
import { isStarlingError } from '../../../../../helpers/errors/starling-error.js'
import { encodeGguf, type GgufTensor } from '../../../../../helpers/models/gguf/gguf-file.js'
import { type GgufHeader, parseGgufHeader } from '../../../../../helpers/models/gguf/gguf-header.js'
import type { GgufValue } from '../../../../../helpers/models/gguf/gguf-value.js'
import { syntheticGguf } from '../../../../helpers/gguf/synthetic-gguf.js'
import { ensure, holds } from '../../../../helpers/property.js'

const whole32 = fc.integer({ min: 0, max: 0xffff_ffff })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const value: fc.Arbitrary<GgufValue> = fc.oneof(
  whole32.map((value) => ({ type: 'uint32' as const, value })),
  fc.integer().map((value) => ({ type: 'int32' as const, value })),
  fc.float({ noNaN: true }).map((value) => ({ type: 'float32' as const, value })),
  fc.boolean().map((value) => ({ type: 'bool' as const, value })),
  text.map((value) => ({ type: 'string' as const, value })),
  fc.array(text, { maxLength: 8 }).map((value) => ({ type: 'strings' as const, value })),
  fc.array(fc.integer(), { maxLength: 8 }).map((value) => ({ type: 'int32s' as const, value })),
)
const key = fc
  .stringMatching(/^[a-z][a-z_.]{0,20}$/)
  // Refused by the reader. fast-check tries such names on purpose.
  .filter((name) => !/(^|\.)(__proto__|constructor|prototype)(\.|$)/.test(name))
  .map((name) => `k.${name}`)
const metadata = fc.dictionary(key, value, { maxKeys: 6 })
const tensors: fc.Arbitrary<GgufTensor[]> = fc
  .array(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((shapes) =>
    shapes.map((dimensions, index) => ({
      name: `t.${index}`,
      dimensions,
      type: 'f32',
      bytes: new Uint8Array(4 * dimensions.reduce((product, length) => product * length, 1)),
    })),
  )

/** The header, MODEL_INVALID, or how many bytes are needed. Anything else fails. */
function outcome(bytes: Uint8Array, sizeBytes: number): GgufHeader | 'MODEL_INVALID' | number {
  try {
    const { header, needsBytes } = parseGgufHeader(bytes, sizeBytes)
    if (header !== undefined) return header
    ensure(needsBytes > bytes.length && needsBytes <= sizeBytes, `needs ${needsBytes}`)
    return needsBytes
  } catch (error) {
    if (isStarlingError(error, 'MODEL_INVALID')) return 'MODEL_INVALID'
    throw error
  }
}

function readValue(header: GgufHeader, name: string): unknown {
  const read = header.metadata.get(name)
  if (read?.type === 'numbers') return Array.from({ length: read.length }, (_, at) => read.at(at))
  if (read?.type !== 'strings') return Object(read).value
  return Array.from({ length: read.length }, (_, at) => Buffer.from(read.at(at)).toString())
}

test('should read what was written, whatever that is, and from every part ask for the rest', async (t) => {
  await holds(
    t,
    fc.property(
      metadata,
      tensors,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (keys, list, part) => {
        const file = encodeGguf({ metadata: new Map(Object.entries(keys)), tensors: list })
        const header = outcome(file, file.length)
        ensure(typeof header === 'object', 'it is refused')
        for (const [name, { value: written }] of Object.entries(keys)) {
          const read = readValue(header, name)
          ensure(JSON.stringify(read) === JSON.stringify(written), `${name}: ${read}`)
        }
        ensure(header.metadata.size === Object.keys(keys).length, 'more keys')
        ensure(
          JSON.stringify([...header.tensors.values()].map((tensor) => tensor.dimensions)) ===
            JSON.stringify(list.map(({ dimensions }) => dimensions)),
          'other shapes',
        )
        const size = Math.floor(part * header.dataOffset)
        const early = outcome(file.subarray(0, size), file.length)
        ensure(typeof early === 'object' || typeof early === 'number', 'refused in part')
        const cut = outcome(file.subarray(0, size), size)
        ensure(cut === 'MODEL_INVALID', 'a part is taken for the whole')
      },
    ),
    100,
  )
})

test('should refuse or read bytes and nothing else, whatever they are', async (t) => {
  const magic = Buffer.from('GGUF\x03\0\0\0')
  await holds(
    t,
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      fc.nat({ max: 2 ** 31 - 1 }),
      (bytes, isGguf, more) => {
        const file = isGguf ? Buffer.concat([magic, bytes]) : bytes
        outcome(file, file.length)
        outcome(file, file.length + more)
      },
    ),
    200,
  )
})

test('should refuse or read a real file and nothing else, whatever bytes of it are changed', async (t) => {
  const file = syntheticGguf('bert')
  const change = fc.tuple(fc.nat({ max: 6_000 }), fc.nat({ max: 255 }))
  await holds(
    t,
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = Buffer.from(file)
      for (const [at, byte] of changes) changed[at] = byte
      const whole = outcome(changed, changed.length)
      ensure(typeof whole !== 'number', 'asks for more than all')
    }),
    200,
  )
})
