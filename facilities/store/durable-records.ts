import Hyperbee from 'hyperbee'
import ReadyResource from 'ready-resource'
import type { z } from 'zod'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { DurableStore } from './durable-store.js'

/** Sizes and counts that one set of records is held to. */
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
 * Records by key in a Hyperbee of one worker's store, of one shape each, that are on disk when their
 * writing is acknowledged. Hyperbee's own acknowledgement comes before any sync, so a power cut would
 * take back what a caller was told. Here all inserts that arrive while the disk is busy are written
 * as one batch and share one commit of the store (group commit).
 *
 * Open one of these a name: the check for a free key and its writing are atomic within it, not
 * between two of them. It closes its own core, never the store. Getting it ready fails with
 * STORE_DAMAGED when the store's witness knows its core otherwise.
 *
 * @example
 * const accounts = new DurableRecords(store, 'accounts', accountRecordSchema)
 * await accounts.insert('ada@example.com', record) // false when the key is taken
 */
export class DurableRecords<Value> extends ReadyResource {
  readonly #store: DurableStore
  readonly #name: string
  readonly #schema: z.ZodType<Value>
  readonly #bee: Hyperbee<'utf-8', 'json'>
  #waiting: WaitingInsert[] = []
  #writing: Promise<void> | null = null
  #failure: StarlingError | null = null

  /**
   * @param name of the core within the store
   * @param schema what every value is checked against, when it is written and when it is read
   */
  constructor(store: DurableStore, name: string, schema: z.ZodType<Value>) {
    super()
    this.#store = store
    this.#name = name
    this.#schema = schema
    this.#bee = new Hyperbee(store.corestore.get({ name }), {
      keyEncoding: 'utf-8',
      valueEncoding: 'json',
      // Nobody else walks this tree.
      extension: false,
    })
  }

  /** Why nothing more is written until the worker has been restarted; null while all is well. */
  get failure(): StarlingError | null {
    return this.#failure
  }

  protected override async _open(): Promise<void> {
    await this.#bee.ready()
    await this.#store.track(this.#name, this.#bee.core)
  }

  /** Inserts that were accepted before are finished first. */
  protected override async _close(): Promise<void> {
    await this.#writing
    this.#store.untrack(this.#name)
    await this.#bee.close()
  }

  /**
   * The value of a key, or undefined. A value whose insert is still on its way to the disk may be
   * seen already.
   *
   * @throws StarlingError INTERNAL when the stored value is not what the schema asks for
   */
  async get(key: string): Promise<Value | undefined> {
    await this.ready()
    const entry = await this.#bee.get(key)
    if (entry === null) return undefined
    const result = this.#schema.safeParse(entry.value)
    if (result.success) return result.data
    // Without the key and the value, which may be somebody's e-mail address and secrets.
    throw new StarlingError(
      'INTERNAL',
      `A stored record of ${this.#name} has a shape that this version does not read`,
    )
  }

  /**
   * Adds a record, unless its key has one. Of several inserts of one key at once exactly one wins.
   * Resolves once the record, or the one that was there first, is on disk.
   *
   * @returns whether this call has added it
   * @throws StarlingError PAYLOAD_TOO_LARGE; OVERLOADED when too many wait for the disk; DRAINING
   *   when it is closing; HOME_UNUSABLE when the disk fails: whether the record was written is then
   *   unknown, and nothing more is written until the worker has been restarted
   */
  async insert(key: string, value: Value): Promise<boolean> {
    await this.ready()
    const checked = this.#schema.parse(value)
    assertSize(key, RECORD_LIMITS.keyBytes, `A key of ${this.#name}`)
    assertSize(JSON.stringify(checked), RECORD_LIMITS.valueBytes, `A record of ${this.#name}`)
    this.#assertAccepting()
    return new Promise((settle, fail) => {
      this.#waiting.push({ key, value: checked, settle, fail })
      this.#writing ??= this.#writeWaiting()
    })
  }

  #assertAccepting(): void {
    if (this.closing !== null) {
      throw new StarlingError('DRAINING', 'The worker is stopping and writes nothing more')
    }
    if (this.#waiting.length >= RECORD_LIMITS.waitingInserts) {
      throw new StarlingError(
        'OVERLOADED',
        `${this.#waiting.length} writes wait for the disk already`,
      )
    }
  }

  /** Writes one batch after the other until nothing waits. Never rejects. */
  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      if (this.#failure === null) await this.#writeBatch(batch)
      else for (const insert of batch) insert.fail(this.#failure)
    }
    this.#writing = null
  }

  async #writeBatch(inserts: readonly WaitingInsert[]): Promise<void> {
    let outcomes: readonly boolean[]
    try {
      outcomes = await this.#appendFree(inserts)
      if (outcomes.includes(true)) await this.#store.commit()
    } catch (cause) {
      this.#failure = isStarlingError(cause)
        ? cause
        : new StarlingError('HOME_UNUSABLE', 'The store cannot write to its disk', { cause })
      for (const insert of inserts) insert.fail(this.#failure)
      return
    }
    for (const [index, insert] of inserts.entries()) insert.settle(outcomes[index] === true)
  }

  /** Appends the inserts whose keys are free in one write; says which those are. */
  async #appendFree(inserts: readonly WaitingInsert[]): Promise<readonly boolean[]> {
    const batch = this.#bee.batch()
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
}

function assertSize(text: string, limitBytes: number, what: string): void {
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes <= limitBytes) return
  throw new StarlingError(
    'PAYLOAD_TOO_LARGE',
    `${what} has ${sizeBytes} bytes; the limit is ${limitBytes}`,
  )
}
