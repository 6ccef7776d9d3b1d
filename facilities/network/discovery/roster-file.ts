import { z } from 'zod'
import {
  decodeRoster,
  encodeRoster,
  rosterSchema,
  type SignedRoster,
} from '../../../helpers/discovery/signed-roster.js'
import { decodeMessage } from '../../../helpers/protocol/json-message.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { FileLock } from '../../files/file-lock.js'
import { writePrivateFile } from '../../files/private-file.js'
import { readTrustedFile } from '../../files/trusted-file.js'
import type { RosterStore } from './roster-keeper.js'

/** Writing takes milliseconds. A process that is suspended may hold the lock for ever. */
const ROSTER_LOCK_TIMEOUT_MS = 5_000

/** As many pages as a roster has take 50 KB in base64. */
const MAX_ROSTER_FILE_BYTES = 65_536

const fileSchema = z.strictObject({ version: z.literal(1), ...rosterSchema.shape })

/** The newest roster of a home, in a file that all its processes share. */
export class RosterFile implements RosterStore {
  readonly #path: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #onFailed: (error: unknown) => void

  /** @param options.path an absolute path in a folder that exists */
  constructor(options: {
    path: string
    clock: Clock
    random: Random
    onFailed: (error: unknown) => void
  }) {
    this.#path = options.path
    this.#clock = options.clock
    this.#random = options.random
    this.#onFailed = options.onFailed
  }

  async load(): Promise<SignedRoster | null> {
    try {
      const limit = { isSecret: true, maxBytes: MAX_ROSTER_FILE_BYTES }
      const bytes = await readTrustedFile(this.#path, limit)
      if (bytes === undefined) return null
      return decodeRoster(decodeMessage(bytes, fileSchema, MAX_ROSTER_FILE_BYTES, this.#path))
    } catch (error) {
      this.#onFailed(error)
      return null
    }
  }

  async save(roster: SignedRoster): Promise<SignedRoster> {
    try {
      const lock = await FileLock.take(`${this.#path}.lock`, {
        clock: this.#clock,
        timeoutMs: ROSTER_LOCK_TIMEOUT_MS,
        isKept: true,
      })
      try {
        const stored = await this.load()
        if (stored !== null && stored.sequence >= roster.sequence) return stored
        await writePrivateFile(this.#path, { version: 1, ...encodeRoster(roster) }, this.#random)
      } finally {
        await lock.release()
      }
    } catch (error) {
      this.#onFailed(error)
    }
    return roster
  }
}
