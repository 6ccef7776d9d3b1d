import { rename } from 'node:fs/promises'
import { z } from 'zod'
import {
  MAX_REMEMBERED_PER_ROLE,
  mergeRemembered,
  type RememberedPeer,
  rememberedPeerSchema,
} from '../../helpers/discovery/remembered-peers.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock } from '../clock/clock.js'
import type { Random } from '../clock/random.js'
import { FileLock } from '../files/file-lock.js'
import { type FileStamp, fileStamp, isSameFile } from '../files/file-stamp.js'
import { writePrivateText } from '../files/private-file.js'
import { readTrustedFile } from '../files/trusted-file.js'
import type { Log } from '../log/log.js'
import type { Home } from './home.js'

/** The maximum number of peers of all roles takes about 1.2 MB. */
const MAX_PEERS_BYTES = 2_097_152

/** An update takes milliseconds. A process that is stopped by a signal may hold the lock for ever. */
const PEERS_LOCK_TIMEOUT_MS = 2_000

const NO_PEERS: readonly RememberedPeer[] = []

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** The root public key of the mesh that the peers belong to, hexadecimal. */
  mesh: z.string(),
  peers: z.array(rememberedPeerSchema).max(4 * MAX_REMEMBERED_PER_ROLE),
})

/**
 * The workers that the processes of a home have found, in `mesh/peers.json`, with the addresses that they had.
 * It only saves time at the next start, so no failure is fatal: a file that is damaged, of another mesh or not
 * trusted is renamed to `peers.json.damaged`, and what cannot be read or written is logged.
 */
export class PeersFile {
  readonly #path: string
  readonly #mesh: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Log
  /** What the file contained when it was last read. */
  #last: { readonly stamp: FileStamp | undefined; readonly peers: readonly RememberedPeer[] } = {
    stamp: undefined,
    peers: NO_PEERS,
  }

  /** @param options.mesh the root public key of the home, hexadecimal */
  constructor(options: { home: Home; mesh: string; clock: Clock; random: Random; log: Log }) {
    this.#path = options.home.path('mesh', 'peers.json')
    this.#mesh = options.mesh
    this.#clock = options.clock
    this.#random = options.random
    this.#log = options.log
  }

  /** The peers in the file: the same array as before if it has not changed. */
  async load(): Promise<readonly RememberedPeer[]> {
    const stamp = await fileStamp(this.#path)
    // Without a stamp there may be something else under this name, which is set aside.
    if (stamp === undefined || !isSameFile(stamp, this.#last.stamp)) {
      this.#last = { stamp, peers: await this.#read() }
    }
    return this.#last.peers
  }

  async #read(): Promise<readonly RememberedPeer[]> {
    try {
      const bytes = await readTrustedFile(this.#path, { isSecret: true, maxBytes: MAX_PEERS_BYTES })
      return bytes === undefined ? NO_PEERS : this.#parse(bytes)
    } catch (err) {
      await this.#setAside(err)
      return NO_PEERS
    }
  }

  /**
   * Adds peers to those in the file.
   *
   * @returns the peers that are then in the file; those that were given if it cannot be written
   */
  async merge(peers: readonly RememberedPeer[]): Promise<readonly RememberedPeer[]> {
    try {
      const lock = await FileLock.take(`${this.#path}.lock`, {
        clock: this.#clock,
        timeoutMs: PEERS_LOCK_TIMEOUT_MS,
        isKept: true,
      })
      try {
        const merged = mergeRemembered(await this.load(), peers)
        const content = { version: 1, mesh: this.#mesh, peers: merged }
        await writePrivateText(this.#path, `${JSON.stringify(content)}\n`, this.#random)
        return merged
      } finally {
        await lock.release()
      }
    } catch (err) {
      this.#log.warn({ err, path: this.#path }, 'peers are not remembered')
      return peers
    }
  }

  #parse(bytes: Buffer): readonly RememberedPeer[] {
    const { mesh, peers } = fileSchema.parse(JSON.parse(bytes.toString('utf8')))
    if (mesh !== this.#mesh) {
      throw new StarlingError('HOME_UNUSABLE', `${this.#path} belongs to another mesh`)
    }
    // Peers that were proved while the clock was ahead do not displace all later ones.
    const now = this.#clock.now()
    return peers.map((peer) => ({ ...peer, provedAt: Math.min(peer.provedAt, now) }))
  }

  async #setAside(reason: unknown): Promise<void> {
    const to = `${this.#path}.damaged`
    try {
      await rename(this.#path, to)
      this.#log.warn({ err: reason, path: this.#path, to }, 'remembered peers were set aside')
    } catch (err) {
      this.#log.warn({ err: reason, path: this.#path, failure: err }, 'peers cannot be read')
    }
  }
}
