import { type FileHandle, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import ReadyResource from 'ready-resource'
import type { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock } from '../clock/clock.js'
import { unusablePath } from '../files/disk-failure.js'
import { FileLock, lockFile, openLocked } from '../files/file-lock.js'
import { isSystemError } from '../files/system-error.js'
import { openTrustedFile } from '../files/trusted-file.js'

const ENDING = '.json'

/** An entry has about 120 bytes. */
const MAX_ENTRY_BYTES = 4_096

/** An update takes milliseconds. A process that is stopped by a signal may hold the lock for ever. */
const LEDGER_TIMEOUT_MS = 5_000

/**
 * Information that the processes of a home share: one entry for each, in a file that the process keeps
 * locked while it runs. Entries of processes that have ended are removed by the next update.
 */
export class ProcessRegistry<Schema extends z.ZodType> extends ReadyResource {
  /** Identifies this process among the others. */
  readonly name: string
  readonly #folder: string
  readonly #schema: Schema
  readonly #clock: Clock
  #file: FileHandle | null = null
  #written = ''
  #turn: Promise<unknown> = Promise.resolve()

  /**
   * @param options.folder a folder of the home for this registry alone
   * @param options.name identifies this process: the name of its worker's folder
   */
  constructor(options: { folder: string; name: string; schema: Schema; clock: Clock }) {
    super()
    this.#folder = options.folder
    this.name = options.name
    this.#schema = options.schema
    this.#clock = options.clock
  }

  /**
   * Updates the entry of this process while no other process can update its own.
   *
   * @param decide gets the entries of the other processes by name and returns the new entry. An entry
   *   that cannot be read, for example one of another version, is undefined.
   * @returns the new entry
   * @throws StarlingError DRAINING once closed; OVERLOADED if another process holds the lock for too
   *   long; HOME_UNUSABLE, DISK_FULL, DISK_FAILED; what `decide` throws
   */
  async update(
    decide: (others: ReadonlyMap<string, z.output<Schema> | undefined>) => z.output<Schema>,
  ): Promise<z.output<Schema>> {
    await this.ready()
    return await this.#locked(async () => {
      const file = this.#file
      if (file === null) throw new StarlingError('DRAINING', 'The processor is shutting down')
      const entry = decide(await this.#withPathErrors(() => this.#others()))
      const text = `${JSON.stringify(entry)}\n`
      // An unchanged entry is not written again.
      if (text === this.#written) return entry
      this.#written = ''
      await this.#withPathErrors(async () => {
        // In this order: on a full disk the file keeps its block.
        await file.write(text, 0)
        await file.truncate(Buffer.byteLength(text))
      })
      this.#written = text
      return entry
    })
  }

  /** @throws StarlingError HOME_IN_USE if another process has the same name; as {@link update} */
  protected override async _open(): Promise<void> {
    await this.#locked(async () => {
      const path = this.#path(this.name)
      this.#file = await this.#withPathErrors(() => openLocked(path))
      if (this.#file === null) throw new StarlingError('HOME_IN_USE', `${path} is in use`)
    })
  }

  protected override async _close(): Promise<void> {
    const file = this.#file
    this.#file = null
    if (file === null) return
    try {
      await this.#locked(async () => await unlink(this.#path(this.name)))
    } catch {
      // Once it is unlocked, the next update of another process removes it.
    } finally {
      await file.close()
    }
  }

  async #others(): Promise<Map<string, z.output<Schema> | undefined>> {
    const others = new Map<string, z.output<Schema> | undefined>()
    for (const fileName of (await readdir(this.#folder)).sort()) {
      const name = fileName.slice(0, -ENDING.length)
      if (!fileName.endsWith(ENDING) || name === this.name) continue
      const entry = await this.#entry(name)
      if (entry !== 'gone') others.set(name, entry.value)
    }
    return others
  }

  async #entry(name: string): Promise<{ readonly value: z.output<Schema> | undefined } | 'gone'> {
    let file: FileHandle
    try {
      file = await openTrustedFile(this.#path(name), 'update')
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return 'gone'
      throw error
    }
    try {
      if (lockFile(file)) {
        await unlink(this.#path(name))
        return 'gone'
      }
      return { value: await this.#parsed(file) }
    } finally {
      await file.close()
    }
  }

  async #parsed(file: FileHandle): Promise<z.output<Schema> | undefined> {
    if ((await file.stat()).size > MAX_ENTRY_BYTES) return undefined
    try {
      return this.#schema.parse(JSON.parse(await file.readFile('utf8')))
    } catch {
      // Not written yet, or written by another version.
      return undefined
    }
  }

  /** Calls within this process are queued here, so that they need not poll the lock. */
  #locked<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(() => this.#lockedNow(work))
    this.#turn = turn.catch(() => {
      // Reported to the caller.
    })
    return turn
  }

  async #lockedNow<Result>(work: () => Promise<Result>): Promise<Result> {
    const path = join(this.#folder, '.lock')
    const options = { clock: this.#clock, timeoutMs: LEDGER_TIMEOUT_MS, isKept: true }
    const lock = await this.#withPathErrors(() => FileLock.take(path, options))
    try {
      return await work()
    } finally {
      await lock.release()
    }
  }

  /** Turns errors of the file system into StarlingErrors. */
  async #withPathErrors<Result>(access: () => Promise<Result>): Promise<Result> {
    try {
      return await access()
    } catch (cause) {
      throw unusablePath(this.#folder, 'cannot be read or written', cause)
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}${ENDING}`)
  }
}
