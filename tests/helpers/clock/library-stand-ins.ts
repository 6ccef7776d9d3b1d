import { createHash } from 'node:crypto'
import { promises as files } from 'node:fs'
import sodium from 'sodium-native'
import type { Random } from '../../../facilities/clock/random.js'
import type { VirtualTime } from './virtual-time.js'

/** How long a password hash takes, in milliseconds. */
const HASH_MS = 20

/**
 * Replaces what the libraries take from the process itself, while a simulation runs: the timers, the time and the
 * random numbers of JavaScript, the random bytes of sodium and the threads in which it hashes passwords, and the files
 * of an older store that hypercore-storage looks for. Our own code gets its clock and its random numbers as arguments
 * and uses none of these.
 */
export class LibraryStandIns {
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #setImmediate = globalThis.setImmediate
  readonly #originals: (() => void)[] = []
  /** Those of libraries that have not run yet. */
  readonly #immediates = new Set<NodeJS.Immediate>()

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  install(): void {
    this.#replaceTimers()
    const { nowMs } = this.#time
    this.#replace(Date, { now: () => Date.UTC(2026, 0, 1) + Math.floor(this.#time.nowMs) })
    this.#replace(performance, { now: () => this.#time.nowMs - nowMs })
    this.#replace(Math, { random: () => this.#random.fraction() })
    const missing = async (path: string) => {
      throw Object.assign(new Error(`ENOENT: no such file in a simulation: ${path}`), {
        code: 'ENOENT',
      })
    }
    const readings = { stat: missing, readdir: missing, readFile: missing }
    this.#replace(files, { ...readings, rm: missing, rmdir: missing })
    this.#replace(sodium, {
      randombytes_buf: (bytes: Uint8Array) => bytes.set(this.#random.bytes(bytes.byteLength)),
      crypto_pwhash_str_async: async (output: Uint8Array, password: Uint8Array) => {
        await this.#pass(HASH_MS * (1 + this.#random.fraction()))
        output.set(hashOf(password))
      },
      crypto_pwhash_str_verify_async: async (hash: Uint8Array, password: Uint8Array) => {
        await this.#pass(HASH_MS * (1 + this.#random.fraction()))
        const expected = hashOf(password)
        return expected.equals(hash.subarray(0, expected.byteLength))
      },
    })
  }

  restore(): void {
    for (let restore = this.#originals.pop(); restore; restore = this.#originals.pop()) restore()
  }

  /** Resolves when everything that needs no time has been done. */
  async settle(): Promise<void> {
    do {
      // All microtasks and all of process.nextTick come before the next immediate.
      await new Promise<void>((resolve) => this.#setImmediate(resolve))
    } while (this.#immediates.size > 0)
  }

  #replaceTimers(): void {
    const lane = this.#time.createLane()
    const { clearTimeout, clearInterval, clearImmediate } = globalThis
    const create =
      (isRepeated: boolean) =>
      (action: (...rest: unknown[]) => void, delayMs = 1, ...rest: unknown[]) =>
        new LibraryTimer((again) =>
          this.#time.schedule(lane, Math.max(1, delayMs), () => {
            if (isRepeated) again()
            action(...rest)
          }),
        )
    const clear = (original: (handle: NodeJS.Timeout) => void) => (handle: unknown) => {
      if (handle instanceof LibraryTimer) handle.close()
      else original(handle as NodeJS.Timeout)
    }
    this.#replace(globalThis, {
      setTimeout: create(false),
      setInterval: create(true),
      clearTimeout: clear(clearTimeout),
      clearInterval: clear(clearInterval),
      setImmediate: (action: (...rest: unknown[]) => void, ...rest: unknown[]) => {
        const handle = this.#setImmediate(() => {
          this.#immediates.delete(handle)
          action(...rest)
        })
        this.#immediates.add(handle)
        return handle
      },
      clearImmediate: (handle: NodeJS.Immediate) => {
        this.#immediates.delete(handle)
        clearImmediate(handle)
      },
    })
  }

  #pass(delayMs: number): Promise<void> {
    const lane = this.#time.createLane()
    return new Promise((resolve) => this.#time.schedule(lane, delayMs, resolve))
  }

  #replace(target: object, stand: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(stand)) {
      const original = Object.getOwnPropertyDescriptor(target, name)
      Object.defineProperty(target, name, { value, configurable: true, writable: true })
      this.#originals.push(() => {
        if (original !== undefined) Object.defineProperty(target, name, original)
        else Reflect.deleteProperty(target, name)
      })
    }
  }
}

/** What `setTimeout` and `setInterval` return. */
class LibraryTimer {
  readonly #schedule: (again: () => void) => { cancel(): void }
  #scheduled: { cancel(): void }

  constructor(schedule: (again: () => void) => { cancel(): void }) {
    this.#schedule = schedule
    this.#scheduled = schedule(() => this.refresh())
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  refresh(): this {
    this.#scheduled.cancel()
    this.#scheduled = this.#schedule(() => this.refresh())
    return this
  }

  close(): void {
    this.#scheduled.cancel()
  }
}

/** In the form of Argon2id, and with its length. */
function hashOf(password: Uint8Array): Buffer {
  const digest = createHash('sha256').update(password).digest('base64').replace(/=+$/, '')
  return Buffer.from(`$argon2id$v=19$m=8,t=1,p=1$c2ltdWxhdGVk$${digest}`, 'ascii')
}
