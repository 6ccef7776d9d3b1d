import Hyperbee from 'hyperbee'
import type Hypercore from 'hypercore'
import { z } from 'zod'
import { RESERVED } from '../../helpers/store/record-batch.js'

/** Written last when a core is filled. A core without it was left by a crash. */
const COMPLETE = `${RESERVED}complete`

/** No user's key is lower. */
export const FIRST_KEY = '\u0001'

/** Records that are written at once when a core is filled. */
const FILL_BATCH = 1_000

const headerSchema = z.strictObject({
  /** The name of the records. */
  records: z.string(),
  epoch: z.number().int().nonnegative(),
  /** The newest revision of the epoch before. The content is the same at that revision and when this was filled. */
  continues: z
    .strictObject({
      epoch: z.number().int().nonnegative(),
      sequence: z.number().int().nonnegative(),
    })
    .nullable(),
})

/** What the first block of a core says about it. */
export type RecordsHeader = z.infer<typeof headerSchema>

/** The Hyperbee of one epoch of records, which are JSON text. */
export interface RecordsTree {
  readonly header: RecordsHeader
  readonly bee: Hyperbee<'utf-8', 'utf-8'>
  /** The length when it was filled; 0 if a crash has interrupted that. */
  readonly filledLength: number
  /** The number of records when it was opened. */
  readonly count: number
}

/** A record of which the value is JSON text. */
export interface StoredRecord {
  readonly key: string
  readonly text: string
}

/**
 * Fills an empty core, which must be ready. Nothing is on disk yet. If it fails, the caller closes the core.
 *
 * @param records its first content
 */
export async function createTree(
  core: Hypercore,
  header: RecordsHeader,
  records: Iterable<StoredRecord> | AsyncIterable<StoredRecord>,
): Promise<RecordsTree> {
  const bee = beeOf(core, header)
  await bee.ready()
  let piece: StoredRecord[] = []
  let count = 0
  for await (const record of records) {
    count += 1
    piece.push(record)
    if (piece.length < FILL_BATCH) continue
    await putAll(bee, piece)
    piece = []
  }
  await putAll(bee, [...piece, { key: COMPLETE, text: 'true' }])
  return { header, bee, filledLength: core.length, count }
}

/**
 * Opens a core, which must be ready. It is closed with the tree, or if there is nothing to return.
 *
 * @param count how many records it contains; left out: they are counted, 25,000 in a second
 * @returns undefined if it is no core of records with this name
 */
export async function openTree(
  core: Hypercore,
  name: string,
  count?: number,
): Promise<RecordsTree | undefined> {
  const bee = beeOf(core)
  try {
    await bee.ready()
    const header = await headerOf(bee)
    if (header?.records === name) {
      const complete = await bee.get(COMPLETE)
      const filledLength = complete === null ? 0 : complete.seq + 1
      return { header, bee, filledLength, count: count ?? (await countOf(bee)) }
    }
  } catch (error) {
    // The first error is the one to report.
    await bee.close().catch(() => undefined)
    throw error
  }
  await bee.close()
  return undefined
}

/** What the first block says; undefined if there is none, or it is of another kind of core. */
async function headerOf(bee: RecordsTree['bee']): Promise<RecordsHeader | undefined> {
  if (bee.core.length === 0) return undefined
  try {
    const { metadata } = await bee.getHeader()
    return headerSchema.safeParse(JSON.parse(String(metadata?.userData))).data
  } catch {
    // Not a Hyperbee, or one without such a header.
    return undefined
  }
}

/** @param header is written with the first record */
function beeOf(core: Hypercore, header?: RecordsHeader): RecordsTree['bee'] {
  return new Hyperbee(core, {
    keyEncoding: 'utf-8',
    // JSON, which is encoded when a batch is accepted.
    valueEncoding: 'utf-8',
    // No peer reads this tree.
    extension: false,
    ...(header && { metadata: { userData: Buffer.from(JSON.stringify(header)) } }),
  })
}

async function countOf(bee: RecordsTree['bee']): Promise<number> {
  let count = 0
  for await (const _record of bee.createReadStream({ gte: FIRST_KEY })) count += 1
  return count
}

async function putAll(bee: RecordsTree['bee'], records: readonly StoredRecord[]): Promise<void> {
  const batch = bee.batch()
  try {
    for (const { key, text } of records) await batch.put(key, text)
    await batch.flush()
  } finally {
    await batch.close()
  }
}
