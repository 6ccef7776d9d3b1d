import type { StoredFile } from './stored-file.js'

/** A file as a list shows it. */
export interface StoredEntry {
  readonly name: string
  readonly sizeBytes: number
  /** By the clock of the storage, in milliseconds. */
  readonly modifiedAtMs: number
}

/**
 * Where the model cache writes: a flat folder of files with names. The disk in earnest
 * ({@link DiskModelStorage}), memory in tests.
 */
export interface ModelStorage {
  /** Where that is, for messages. */
  readonly place: string
  /** Makes the folder itself ready. @throws the error of the storage */
  prepare(): Promise<void>
  /** A file to read or to write; close it. */
  open(name: string): StoredFile
  /** Every file. */
  list(): Promise<readonly StoredEntry[]>
  /** Undefined when there is no such file. */
  entry(name: string): Promise<StoredEntry | undefined>
  /** Gives a file another name, in the place of whatever had it, at once and durably. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, if there is one. */
  remove(name: string): Promise<void>
  /** What may still be written; undefined where that is not known. */
  freeBytes(): Promise<number | undefined>
}
