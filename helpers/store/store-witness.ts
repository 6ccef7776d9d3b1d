import { createHash } from 'node:crypto'
import { z } from 'zod'

/** The size of a slot: a block of a disk, so that a torn write of one slot does not damage the other. */
export const WITNESS_SLOT_BYTES = 4096
export const WITNESS_SLOTS = 2

/** As many as fit into a slot: a core takes about 250 bytes. */
const MAX_CORES = 12

const FORMAT = 'starling/store-witness/1'

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/)

const coreSchema = z.strictObject({
  /** The public key of the core, hexadecimal. */
  key: digestSchema,
  /** Acknowledged entries. */
  length: z.number().int().nonnegative(),
  /** How often the core was truncated. */
  fork: z.number().int().nonnegative(),
  /** The hash of the core at that length, hexadecimal. */
  treeHash: digestSchema,
})

const stateSchema = z.strictObject({
  /** Incremented by every write. */
  sequence: z.number().int().positive(),
  /** Milliseconds since 1970. */
  writtenAt: z.number().int().nonnegative(),
  cores: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/), coreSchema)
    .refine((cores) => Object.keys(cores).length <= MAX_CORES, `At most ${MAX_CORES} cores`),
})

/** The recorded state of one core. */
export type WitnessedCore = z.infer<typeof coreSchema>

/** The content of a witness: the acknowledged states of a store's cores, by name. */
export type WitnessState = z.infer<typeof stateSchema>

/**
 * The bytes of one slot: a line of text with the SHA-256 of the state and the state, padded with spaces.
 *
 * @throws Error if the state does not fit into a slot
 */
export function encodeWitnessSlot(state: WitnessState): Buffer {
  const json = JSON.stringify(stateSchema.parse(state))
  const line = `${FORMAT} ${checksum(json)} ${json}`
  if (Buffer.byteLength(line) >= WITNESS_SLOT_BYTES) throw new Error('The witness is full')
  return Buffer.from(`${line.padEnd(WITNESS_SLOT_BYTES - 1)}\n`)
}

/** An empty slot. */
export function emptyWitnessSlot(): Buffer {
  return Buffer.from(`${' '.repeat(WITNESS_SLOT_BYTES - 1)}\n`)
}

/** The bytes of a new witness. */
export function newWitness(state: WitnessState): Buffer {
  const slots = Array.from({ length: WITNESS_SLOTS }, emptyWitnessSlot)
  slots[slotOf(state)] = encodeWitnessSlot(state)
  return Buffer.concat(slots)
}

/** The slot of a state: not that of the previous state. */
export function slotOf({ sequence }: Pick<WitnessState, 'sequence'>): number {
  return sequence % WITNESS_SLOTS
}

/**
 * The newest state in a witness; null if no slot is intact. After a torn write it is the previous state, which
 * claims less and is still true.
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
