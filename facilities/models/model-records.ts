import { z } from 'zod'
import type { Random } from '../clock/random.js'
import type { FileStamp } from '../files/file-stamp.js'
import type { ModelStorage } from './model-storage.js'

/** A longer file is not a record. */
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
  /** The model reference, without the secret parts of a URL. */
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
  /** SHA-256 of the URL, which itself may contain a signature. */
  address: sha256Schema,
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  totalBytes: sizeSchema.nullable(),
  /** The hash of the file according to the server. */
  sha256: sha256Schema.nullable(),
  /** How much of the file had been synced when this was written. */
  durableBytes: sizeSchema,
})

/** The metadata of a prepared model file. */
export type ModelManifest = z.infer<typeof manifestSchema>

/** The state of a download, which is resumed from it after a restart. */
export type DownloadJournal = z.infer<typeof journalSchema>

/** A kind of record: a small JSON file next to the file that it describes. */
interface RecordKind<Schema extends z.ZodType> {
  readonly ending: string
  readonly schema: Schema
}

/** Next to a prepared file: `x.gguf.json`. */
export const MANIFEST = { ending: '.json', schema: manifestSchema } as const
/** Next to a partial download: `x.gguf.partial.json`. */
export const JOURNAL = { ending: '.partial.json', schema: journalSchema } as const

/**
 * The record of a file; undefined if there is none, or if it is damaged: its content can be determined
 * again.
 *
 * @param name of the file that the record describes
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
    // Damaged, being replaced, or unreadable.
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
