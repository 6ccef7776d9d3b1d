import { createSocket } from 'node:dgram'
import HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** This machine only: no packet of a local mesh leaves it. */
export const LOCAL_HOST = '127.0.0.1'

/** How often a start looks for the holder of a taken port before it gives up. */
const START_ATTEMPTS = 3

/**
 * The DHT bootstrap node of one machine. Every worker has one of these objects; whichever comes
 * first binds the port, the others watch it, and one of them takes it over when its holder dies.
 * The node keeps nothing that matters: workers announce themselves again every few seconds.
 */
export class LocalBootstrap extends ReadyResource {
  readonly #port: number
  readonly #clock: Clock
  readonly #watchIntervalMs: number
  readonly #onTaken: () => void
  #held: HyperDHT | null = null
  #probe: HyperDHT | null = null
  #watch: Timer | null = null

  /** @param options.onTaken called whenever this process becomes the holder */
  constructor(options: {
    port: number
    clock: Clock
    watchIntervalMs: number
    onTaken?: () => void
  }) {
    super()
    this.#port = options.port
    this.#clock = options.clock
    this.#watchIntervalMs = options.watchIntervalMs
    this.#onTaken = options.onTaken ?? (() => undefined)
  }

  /** Whether this process holds the port. */
  get isHolder(): boolean {
    return this.#held !== null
  }

  /** Ends the watch, so that a worker on its way out does not take the port over once more. */
  retire(): void {
    this.#watch?.cancel()
    this.#watch = null
  }

  /** @throws StarlingError BOOTSTRAP_UNAVAILABLE when something else sits on the port */
  protected override async _open(): Promise<void> {
    this.#probe = new HyperDHT({
      bootstrap: [{ host: LOCAL_HOST, port: this.#port }],
      host: LOCAL_HOST,
      firewalled: false,
    })
    if (!(await this.#isServed())) {
      await this.#probe.destroy()
      throw new StarlingError(
        'BOOTSTRAP_UNAVAILABLE',
        `UDP port ${this.#port} on ${LOCAL_HOST} is taken by something that is no DHT node`,
      )
    }
    this.#watch = repeat(this.#clock, this.#watchIntervalMs, () => this.#check())
  }

  protected override async _close(): Promise<void> {
    this.retire()
    await this.#probe?.destroy()
    await this.#held?.destroy()
    this.#held = null
  }

  async #isServed(): Promise<boolean> {
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
      if ((await this.#take()) || (await this.#answers())) return true
    }
    return false
  }

  async #check(): Promise<void> {
    if (this.#held !== null || (await this.#answers())) return
    if (this.#watch !== null && !this.closing) await this.#take()
  }

  /** Binds the port if nobody has it. */
  async #take(): Promise<boolean> {
    if (!(await isPortFree(this.#port))) return false
    const node = HyperDHT.bootstrapper(this.#port, LOCAL_HOST, { host: LOCAL_HOST })
    try {
      await node.ready()
    } catch (error) {
      // Somebody bound it in the moment between. A node that could not bind cannot be destroyed
      // either: it waits for the port again and fails the same way.
      safetyCatch(error)
      await node.destroy().catch(safetyCatch)
      // What it leaves running would keep the process from ending.
      node.io.networkInterfaces.destroy()
      return false
    }
    if (this.closing) {
      await node.destroy()
      return false
    }
    this.#held = node
    this.#onTaken()
    return true
  }

  /** Whether a DHT node answers on the port, within a second. */
  async #answers(): Promise<boolean> {
    try {
      await this.#probe?.ping({ host: LOCAL_HOST, port: this.#port }, { retry: false })
      return true
    } catch (error) {
      safetyCatch(error)
      return false
    }
  }
}

/** Asked first, because a DHT node that finds its port taken leaks its sockets. */
function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: LOCAL_HOST, exclusive: true }, () => {
      socket.close(() => resolve(true))
    })
  })
}
