import { type FileHandle, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
// The kernel's lock: it is gone with the process that held it, even when that was killed.
import { tryLock } from 'fs-native-extensions'
import ReadyResource from 'ready-resource'
import type { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock } from '../clock/clock.js'
import { FileLock } from './file-lock.js'
import { isSystemError } from './system-error.js'
import { openTrustedFile } from './trusted-file.js'

const ENDING = '.json'

/** An entry takes about 200 bytes. */
const MAX_ENTRY_BYTES = 4_096

/** Nobody works on a ledger for longer than milliseconds; one who was stopped in it keeps it. */
const LEDGER_TIMEOUT_MS = 5_000

/**
 * What the processes of a home tell each other: an entry each, in a file that is locked for as long as
 * its process lives. Of one that is gone, however it went, the next one to look removes the entry.
 */
export class HomeLedger<Schema extends z.ZodType> extends ReadyResource {
  /** Tells this process from the others. */
  readonly name: string
  readonly #folder: string
  readonly #schema: Schema
  readonly #clock: Clock
  #file: FileHandle | null = null
  #entered = ''
  #turn: Promise<unknown> = Promise.resolve()

  /**
   * @param options.folder a folder of the home that holds nothing else
   * @param options.name tells this process from the others: the name of its worker's folder
   */
  constructor(options: { folder: string; name: string; schema: Schema; clock: Clock }) {
    super()
    this.#folder = options.folder
    this.name = options.name
    this.#schema = options.schema
    this.#clock = options.clock
  }

  /**
   * Lets `decide` see the entries of the others, by name, and enters what it returns. Nobody else
   * decides meanwhile. An entry that was not understood, of another version say, is undefined.
   *
   * @returns what was entered
   * @throws StarlingError DRAINING once closed; OVERLOADED when another process keeps the ledger;
   *   HOME_UNUSABLE; the error of the file system; what `decide` throws
   */
  async update(
    decide: (others: ReadonlyMap<string, z.output<Schema> | undefined>) => z.output<Schema>,
  ): Promise<z.output<Schema>> {
    await this.ready()
    return await this.#locked(async () => {
      const file = this.#file
      if (file === null) throw new StarlingError('DRAINING', 'The processor is leaving its home')
      const entry = decide(await this.#others())
      const text = `${JSON.stringify(entry)}\n`
      // Whoever only looks leaves the disk in peace.
      if (text === this.#entered) return entry
      this.#entered = ''
      await file.truncate(0)
      await file.write(text, 0)
      this.#entered = text
      return entry
    })
  }

  /** @throws StarlingError HOME_IN_USE when another process has that name; as {@link update} */
  protected override async _open(): Promise<void> {
    await this.#locked(async () => {
      const file = await openTrustedFile(this.#path(this.name), 'create')
      if (!tryLock(file.fd)) {
        await file.close()
        throw new StarlingError('HOME_IN_USE', `${this.#path(this.name)} is in use`)
      }
      this.#file = file
    })
  }

  protected override async _close(): Promise<void> {
    const file = this.#file
    this.#file = null
    if (file === null) return
    try {
      await this.#locked(async () => await unlink(this.#path(this.name)))
    } catch {
      // It is not locked any more then, and whoever looks next removes it.
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
      if (tryLock(file.fd)) {
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
      // Nothing is entered yet, or by another version.
      return undefined
    }
  }

  /** This process's own calls wait for each other without asking the file system. */
  #locked<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(() => this.#lockedNow(work))
    this.#turn = turn.catch(() => {
      // Whoever asked is told.
    })
    return turn
  }

  async #lockedNow<Result>(work: () => Promise<Result>): Promise<Result> {
    const giveUp = new AbortController()
    const timer = this.#clock.schedule(LEDGER_TIMEOUT_MS, () => {
      const why = `Another process has kept ${this.#folder} to itself for ${LEDGER_TIMEOUT_MS / 1000} s`
      giveUp.abort(new StarlingError('OVERLOADED', why, { retryAfterMs: LEDGER_TIMEOUT_MS }))
    })
    let lock: FileLock
    try {
      lock = await FileLock.take(join(this.#folder, '.lock'), {
        clock: this.#clock,
        signal: giveUp.signal,
        onWait: () => undefined,
        isKept: true,
      })
    } finally {
      timer.cancel()
    }
    try {
      return await work()
    } finally {
      await lock.release()
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}${ENDING}`)
  }
}
