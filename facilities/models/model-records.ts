import { z } from 'zod'
import type { Random } from '../clock/random.js'
import type { FileStamp } from '../files/file-stamp.js'
import type { ModelStorage } from './model-storage.js'

/** More than any record takes; a longer file is none. */
const MAX_RECORD_BYTES = 65_536

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/)
const timeSchema = z.number().nonnegative()
const sizeSchema = z.number().int().nonnegative()

const fileStampSchema: z.ZodType<FileStamp> = z.strictObject({
  sizeBytes: sizeSchema,
  modifiedAtMs: timeSchema,
  inode: z.number().nonnegative(),
})

const manifestSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1),
  /** As it was asked for, without what may be secret in an address. */
  source: z.string().min(1),
  kind: z.enum(['chat', 'embedding']),
  licence: z.string().nullable(),
  quantization: z.string().nullable(),
  contextTokens: sizeSchema.nullable(),
  sha256: sha256Schema,
  /** Milliseconds since 1970. */
  preparedAt: timeSchema,
  /** When the whole file was last hashed. Milliseconds since 1970. */
  verifiedAt: timeSchema,
  file: fileStampSchema,
})

const journalSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1),
  source: z.string().min(1),
  /** SHA-256 of the address: the address itself may hold a signature. */
  address: sha256Schema,
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  totalBytes: sizeSchema.nullable(),
  /** What the server says that the file hashes to. */
  sha256: sha256Schema.nullable(),
  /** How much was on the disk for certain when this was written. */
  durableBytes: sizeSchema,
})

/** What is known of a model file that was prepared. */
export type ModelManifest = z.infer<typeof manifestSchema>

/** What is known of a model file that is being fetched, to go on with it after a restart. */
export type DownloadJournal = z.infer<typeof journalSchema>

/** A kind of record: JSON in a small file beside the file that it is of. */
interface RecordKind<Schema extends z.ZodType> {
  readonly ending: string
  readonly schema: Schema
}

/** Beside a prepared file: `x.gguf.json`. */
export const MANIFEST = { ending: '.json', schema: manifestSchema } as const
/** Beside what was fetched so far: `x.gguf.partial.json`. */
export const JOURNAL = { ending: '.partial.json', schema: journalSchema } as const

/**
 * The record of a file; undefined when there is none. One that is damaged counts as none: what it
 * says can be found out again.
 *
 * @param name of the file that the record is of
 */
export async function readRecord<Schema extends z.ZodType>(
  storage: ModelStorage,
  name: string,
  { ending, schema }: RecordKind<Schema>,
): Promise<z.output<Schema> | undefined> {
  const entry = await storage.entry(name + ending)
  if (entry === undefined || entry.sizeBytes > MAX_RECORD_BYTES) return undefined
  const file = storage.open(name + ending)
  try {
    const bytes = await file.read(0, entry.sizeBytes)
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    // Damaged, replaced in this moment, or not to be read: none, as the comment above says.
    return undefined
  } finally {
    await file.close()
  }
}

/** @throws the error of the storage */
export async function writeRecord<Schema extends z.ZodType>(
  storage: ModelStorage,
  name: string,
  { ending }: RecordKind<Schema>,
  record: z.output<Schema>,
  random: Random,
): Promise<void> {
  await storage.replace(name + ending, `${JSON.stringify(record, null, 2)}\n`, random)
}
