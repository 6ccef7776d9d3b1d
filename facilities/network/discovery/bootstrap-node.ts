import { createSocket } from 'node:dgram'
import HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** Packets of a local mesh do not leave the machine. */
export const LOCAL_HOST = '127.0.0.1'

/** Attempts to bind the port or to reach the node on it before the start fails. */
const START_ATTEMPTS = 3

/**
 * The DHT bootstrap node of one machine. Each worker has one of these objects. The first one
 * binds the port. The others watch it, and one of them takes it over when its holder ends. The node need not keep
 * its records: workers announce themselves again every few seconds.
 */
export class BootstrapNode extends ReadyResource {
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

  /** Stops watching, so that a worker that is leaving does not take the port over. */
  retire(): void {
    this.#watch?.cancel()
    this.#watch = null
  }

  /** @throws StarlingError BOOTSTRAP_UNAVAILABLE if something else uses the port */
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
        `UDP port ${this.#port} on ${LOCAL_HOST} is used by something that is not a DHT node`,
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

  /** Binds the port if it is free. */
  async #take(): Promise<boolean> {
    if (!(await isPortFree(this.#port))) return false
    const node = HyperDHT.bootstrapper(this.#port, LOCAL_HOST, { host: LOCAL_HOST })
    try {
      await node.ready()
    } catch (error) {
      // Another process bound it in between. Destroying a node that could not bind fails, too: it waits for the
      // port again.
      safetyCatch(error)
      await node.destroy().catch(safetyCatch)
      // Otherwise this keeps the process from ending.
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

/** Checked first, because a DHT node that cannot bind its port leaks its sockets. */
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
