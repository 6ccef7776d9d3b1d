import type { Draw } from './gguf-mutation-values.js'

const FIXED_HEAD_BYTES = 24

/** Changes the encoded header, and returns a description of the change. */
export type ByteChange = (head: Buffer, random: Draw) => { head: Buffer; what: string }

export const BYTE_CHANGES: readonly ByteChange[] = [
  (head, random) => {
    const at = random.below(FIXED_HEAD_BYTES)
    head[at] = (head[at] ?? 0) ^ (1 << random.below(8))
    return { head, what: `bit of byte ${at}` }
  },
  (head, random) => {
    const at = random.below(head.length)
    head[at] = random.below(256)
    return { head, what: `byte ${at}` }
  },
  (head, random) => {
    for (let count = random.of([2, 8, 64]); count > 0; count--) {
      head[random.below(head.length)] = random.of([0, 1, 0x7f, 0x80, 0xff, random.below(256)])
    }
    return { head, what: 'several bytes' }
  },
  (head, random) => {
    const at = random.below(head.length)
    const added = Buffer.from(random.bytes(random.of([1, 4, 8, 32])))
    return {
      head: Buffer.concat([head.subarray(0, at), added, head.subarray(at)]),
      what: `${added.length} bytes put in at ${at}`,
    }
  },
  (head, random) => {
    const at = random.below(head.length)
    const count = random.of([1, 4, 8, 32])
    return {
      head: Buffer.concat([head.subarray(0, at), head.subarray(at + count)]),
      what: `${count} bytes taken out at ${at}`,
    }
  },
  (head) => {
    const swapped = Buffer.from(head)
    swapped.subarray(4, 8).swap32()
    swapped.subarray(8, 24).swap64()
    return { head: swapped, what: 'big-endian' }
  },
]
