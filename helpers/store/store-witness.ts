import { createHash } from 'node:crypto'
import { z } from 'zod'

/** One of the two places in a witness: a block of a disk, so that writing one leaves the other whole. */
export const WITNESS_SLOT_BYTES = 4096
export const WITNESS_SLOTS = 2

/** Fits a slot: a core takes about 250 bytes there. */
const MAX_CORES = 12

const FORMAT = 'starling/store-witness/1'

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/)

const coreSchema = z.strictObject({
  /** Of the core, hexadecimal. */
  key: digestSchema,
  /** Entries that were acknowledged as being on disk. */
  length: z.number().int().nonnegative(),
  /** How often the core was shortened. */
  fork: z.number().int().nonnegative(),
  /** Of the core at that length, hexadecimal. */
  treeHash: digestSchema,
})

const stateSchema = z.strictObject({
  /** Counts up with every writing. */
  sequence: z.number().int().positive(),
  /** Milliseconds since 1970. */
  writtenAt: z.number().int().nonnegative(),
  cores: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/), coreSchema)
    .refine((cores) => Object.keys(cores).length <= MAX_CORES, `At most ${MAX_CORES} cores`),
})

/** How far one core had come. */
export type WitnessedCore = z.infer<typeof coreSchema>

/** What a witness says: the cores of a store by name, as far as they were acknowledged. */
export type WitnessState = z.infer<typeof stateSchema>

/**
 * The bytes of one slot: a line of text, the state's SHA-256 before it, filled up with spaces.
 *
 * @throws Error when there are more or longer names than a slot holds
 */
export function encodeWitnessSlot(state: WitnessState): Buffer {
  const json = JSON.stringify(stateSchema.parse(state))
  const line = `${FORMAT} ${checksum(json)} ${json}`
  if (Buffer.byteLength(line) >= WITNESS_SLOT_BYTES) throw new Error('The witness is full')
  return Buffer.from(`${line.padEnd(WITNESS_SLOT_BYTES - 1)}\n`)
}

/** A slot that nothing was written to yet. */
export function emptyWitnessSlot(): Buffer {
  return Buffer.from(`${' '.repeat(WITNESS_SLOT_BYTES - 1)}\n`)
}

/** The bytes of a new witness. */
export function newWitness(state: WitnessState): Buffer {
  const slots = Array.from({ length: WITNESS_SLOTS }, emptyWitnessSlot)
  slots[slotOf(state)] = encodeWitnessSlot(state)
  return Buffer.concat(slots)
}

/** Which slot a state is written to: the one that does not hold the state before it. */
export function slotOf({ sequence }: Pick<WitnessState, 'sequence'>): number {
  return sequence % WITNESS_SLOTS
}

/**
 * The newest state in a witness, or null when none is whole. A slot that was torn by a power cut
 * while it was written leaves the one before, which claims less and is as true.
 */
export function decodeWitness(bytes: Uint8Array): WitnessState | null {
  if (bytes.byteLength !== WITNESS_SLOTS * WITNESS_SLOT_BYTES) return null
  const states = Array.from({ length: WITNESS_SLOTS }, (_, slot) => {
    const start = slot * WITNESS_SLOT_BYTES
    return decodeSlot(bytes.subarray(start, start + WITNESS_SLOT_BYTES))
  })
  return states.reduce((newest, state) =>
    newest === null || (state !== null && state.sequence > newest.sequence) ? state : newest,
  )
}

function decodeSlot(bytes: Uint8Array): WitnessState | null {
  const [format, digest, json] = Buffer.from(bytes).toString('utf8').trimEnd().split(' ')
  if (format !== FORMAT || json === undefined || digest !== checksum(json)) return null
  return stateSchema.safeParse(JSON.parse(json)).data ?? null
}

function checksum(json: string): string {
  return createHash('sha256').update(json).digest('hex')
}
