import { createHash } from 'node:crypto'
import { z } from 'zod'

/**
 * The smallest size of a slot: a block of a disk, so that a torn write of one slot does not damage the other. Larger
 * ones are twice, four times, … as large.
 */
export const WITNESS_SLOT_BYTES = 4096
export const WITNESS_SLOTS = 2

/** A core takes about 250 bytes, and each commit writes those of all cores. */
export const MAX_WITNESSED_CORES = 4096

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
  /** How many records a core of records contains. Saves counting them; after a crash, a few may be missing. */
  records: z.number().int().nonnegative().optional(),
})

const stateSchema = z.strictObject({
  /** Incremented by every write. */
  sequence: z.number().int().positive(),
  /** Milliseconds since 1970. */
  writtenAt: z.number().int().nonnegative(),
  cores: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/), coreSchema)
    .refine(
      (cores) => Object.keys(cores).length <= MAX_WITNESSED_CORES,
      `At most ${MAX_WITNESSED_CORES} cores`,
    ),
})

/** The recorded state of one core. */
export type WitnessedCore = z.infer<typeof coreSchema>

/** The content of a witness: the acknowledged states of a store's cores, by name. */
export type WitnessState = z.infer<typeof stateSchema>

/**
 * A state as it is written: a line of text with the SHA-256 of the state and the state.
 *
 * @throws ZodError if it has more than {@link MAX_WITNESSED_CORES} cores
 */
export function encodeWitness(state: WitnessState): Buffer {
  const json = JSON.stringify(stateSchema.parse(state))
  return Buffer.from(`${FORMAT} ${checksum(json)} ${json}`)
}

/** The size of the smallest slot that a line fits into, with a newline at the end. */
export function slotBytesFor(line: Uint8Array): number {
  let slotBytes = WITNESS_SLOT_BYTES
  while (slotBytes <= line.byteLength) slotBytes *= 2
  return slotBytes
}

/** The bytes of a slot with this line, or of an empty one. The line is padded with spaces. */
export function witnessSlot(slotBytes: number, line: Uint8Array = new Uint8Array()): Buffer {
  const slot = Buffer.alloc(slotBytes, ' ')
  slot.set(line)
  slot.write('\n', slotBytes - 1)
  return slot
}

/** The bytes of a new witness. */
export function newWitness(state: WitnessState): Buffer {
  const line = encodeWitness(state)
  const slotBytes = slotBytesFor(line)
  const slots = Array.from({ length: WITNESS_SLOTS }, () => witnessSlot(slotBytes))
  slots[slotOf(state)] = witnessSlot(slotBytes, line)
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
  const slotBytes = bytes.byteLength / WITNESS_SLOTS
  if (slotBytes === 0 || slotBytes % WITNESS_SLOT_BYTES !== 0) return null
  const states = Array.from({ length: WITNESS_SLOTS }, (_, slot) =>
    decodeSlot(bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes)),
  )
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
