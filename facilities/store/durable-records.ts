import Hyperbee from 'hyperbee'
import ReadyResource from 'ready-resource'
import type { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { DurableStore, StoreUser } from './durable-store.js'

/** The limits of one set of records. */
export const RECORD_LIMITS = {
  keyBytes: 512,
  valueBytes: 64 * 1024,
  /** Inserts that wait for the disk: at 2,600 durable ones a second, under half a second of them. */
  waitingInserts: 1024,
} as const

interface WaitingInsert {
  readonly key: string
  readonly value: unknown
  readonly settle: (isInserted: boolean) => void
  readonly fail: (error: unknown) => void
}

/**
 * Records by key, all of one schema, in a Hyperbee of one worker's store. They are on disk when an
 * insert is acknowledged. Hyperbee's own acknowledgement comes before any sync, so a power cut could
 * lose acknowledged data. Here all inserts that arrive while the disk is busy are written as one batch
 * and share one commit of the store (group commit).
 *
 * Open only one object for each name: the check for a free key and its insertion are atomic within one
 * object, not between two. It closes its own core, never the store. Getting it ready fails with
 * STORE_DAMAGED if its core differs from the store's witness. While the store cannot write, records can
 * be read but not inserted; while it is being reopened, both wait.
 *
 * @example
 * const accounts = new DurableRecords(store, 'accounts', accountRecordSchema)
 * await accounts.insert('ada@example.com', record) // false when the key is taken
 */
export class DurableRecords<Value> extends ReadyResource implements StoreUser {
  readonly #store: DurableStore
  readonly #name: string
  readonly #schema: z.ZodType<Value>
  #bee: Hyperbee<'utf-8', 'json'> | null = null
  #waiting: WaitingInsert[] = []
  #writing: Promise<void> | null = null
  #isDetached = false
  #reads = 0
  #onLastRead: (() => void) | null = null

  /**
   * @param name of the core within the store
   * @param schema what every value is checked against, when it is written and when it is read
   */
  constructor(store: DurableStore, name: string, schema: z.ZodType<Value>) {
    super()
    this.#store = store
    this.#name = name
    this.#schema = schema
  }

  /** Why inserts fail; null if they do not. */
  get failure(): StarlingError | null {
    return this.#store.failure
  }

  /** Why the rollback guard of the store cannot be written; null while it can. */
  get guardFailure(): unknown {
    return this.#store.guardFailure
  }

  protected override async _open(): Promise<void> {
    await this.#store.ready()
    await this.attach()
    this.#store.join(this)
  }

  /** Inserts that were accepted before are finished first. */
  protected override async _close(): Promise<void> {
    // If the store could not be opened, there is nothing to wait for.
    await this.#store.settled().catch(() => undefined)
    while (this.#writing !== null) await this.#writing
    this.#store.leave(this)
    this.#store.untrack(this.#name)
    await this.#bee?.close()
    this.#bee = null
  }

  /** Called by the store. */
  async attach(): Promise<void> {
    const bee = new Hyperbee(this.#store.corestore.get({ name: this.#name }), {
      keyEncoding: 'utf-8',
      valueEncoding: 'json',
      // No peer reads this tree.
      extension: false,
    })
    try {
      await bee.ready()
      await this.#store.track(this.#name, bee.core)
    } catch (error) {
      // The first error is the one to report.
      await bee.close().catch(() => undefined)
      throw error
    }
    this.#bee = bee
    this.#isDetached = false
    this.#startWriting()
  }

  /** Called by the store. */
  async detach(): Promise<void> {
    this.#isDetached = true
    while (this.#writing !== null) await this.#writing
    if (this.#reads > 0) {
      await new Promise<void>((resolve) => {
        this.#onLastRead = resolve
      })
    }
    const bee = this.#bee
    this.#bee = null
    // The store is closed next in any case.
    await bee?.close().catch(() => undefined)
  }

  /** Called by the store. */
  abandon(failure: StarlingError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const insert of waiting) insert.fail(failure)
  }

  /**
   * The value of a key, or undefined. A value whose insert is not yet on disk may be returned.
   *
   * @throws StarlingError INTERNAL if the stored value does not match the schema; DISK_FULL, DISK_FAILED
   *   or STORE_DAMAGED if the store could not be reopened
   */
  async get(key: string): Promise<Value | undefined> {
    const entry = await this.#read((bee) => bee.get(key))
    if (entry === null) return undefined
    const result = this.#schema.safeParse(entry.value)
    if (result.success) return result.data
    // Without the key and the value, which may be an e-mail address and secrets.
    throw new StarlingError(
      'INTERNAL',
      `A stored record of ${this.#name} has a format that this version does not support`,
    )
  }

  /**
   * Adds a record, unless there is one with this key. Of several concurrent inserts of one key exactly
   * one succeeds. Resolves once the record, or the existing one, is on disk.
   *
   * @returns whether this call has added it
   * @throws StarlingError PAYLOAD_TOO_LARGE; OVERLOADED when too many wait for the disk; DRAINING
   *   when it is closing; DISK_FULL or DISK_FAILED when the store cannot write: whether the record was
   *   written is unknown if it was accepted before
   */
  async insert(key: string, value: Value): Promise<boolean> {
    await this.ready()
    const checked = this.#schema.parse(value)
    assertSize(key, RECORD_LIMITS.keyBytes, `A key of ${this.#name}`)
    assertSize(JSON.stringify(checked), RECORD_LIMITS.valueBytes, `A record of ${this.#name}`)
    this.#assertAccepting()
    return new Promise((settle, fail) => {
      this.#waiting.push({ key, value: checked, settle, fail })
      this.#startWriting()
    })
  }

  #assertAccepting(): void {
    if (this.closing !== null) {
      throw new StarlingError('DRAINING', 'The worker is shutting down and accepts no more writes')
    }
    if (this.failure !== null) throw this.failure
    if (this.#waiting.length >= RECORD_LIMITS.waitingInserts) {
      throw new StarlingError(
        'OVERLOADED',
        `${this.#waiting.length} writes are waiting for the disk already`,
      )
    }
  }

  async #read<T>(read: (bee: Hyperbee<'utf-8', 'json'>) => Promise<T>): Promise<T> {
    await this.ready()
    for (;;) {
      await this.#store.settled()
      if (this.#bee !== null) break
      if (this.failure !== null) throw this.failure
      if (this.closing !== null) {
        throw new StarlingError('DRAINING', 'The worker is shutting down and accepts no more reads')
      }
    }
    this.#reads += 1
    try {
      return await read(this.#bee)
    } finally {
      this.#reads -= 1
      if (this.#reads === 0) this.#onLastRead?.()
    }
  }

  #startWriting(): void {
    if (this.#writing !== null || this.#isDetached || this.#waiting.length === 0) return
    this.#writing = this.#writeWaiting().then(() => {
      this.#writing = null
      // Inserts that arrived after the last check of the loop.
      this.#startWriting()
    })
  }

  /** Writes one batch after the other until nothing waits, or the store is opened anew. Never rejects. */
  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#isDetached) {
      const batch = this.#waiting
      this.#waiting = []
      if (this.failure !== null) for (const insert of batch) insert.fail(this.failure)
      else if (this.#bee !== null) await this.#writeBatch(this.#bee, batch)
    }
  }

  async #writeBatch(
    bee: Hyperbee<'utf-8', 'json'>,
    inserts: readonly WaitingInsert[],
  ): Promise<void> {
    let outcomes: readonly boolean[]
    try {
      outcomes = await appendFree(bee, inserts)
      if (outcomes.includes(true)) await this.#store.commit()
    } catch (cause) {
      const failure = this.#store.fail(cause)
      for (const insert of inserts) insert.fail(failure)
      return
    }
    for (const [index, insert] of inserts.entries()) insert.settle(outcomes[index] === true)
  }
}

/** Appends the inserts whose keys are free in one write. @returns those inserts */
async function appendFree(
  bee: Hyperbee<'utf-8', 'json'>,
  inserts: readonly WaitingInsert[],
): Promise<readonly boolean[]> {
  const batch = bee.batch()
  try {
    const outcomes: boolean[] = []
    for (const { key, value } of inserts) {
      const isFree = (await batch.get(key)) === null
      if (isFree) await batch.put(key, value)
      outcomes.push(isFree)
    }
    if (outcomes.includes(true)) await batch.flush()
    return outcomes
  } finally {
    await batch.close()
  }
}

function assertSize(text: string, limitBytes: number, what: string): void {
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes <= limitBytes) return
  throw new StarlingError(
    'PAYLOAD_TOO_LARGE',
    `${what} has ${sizeBytes} bytes; the limit is ${limitBytes}`,
  )
}
