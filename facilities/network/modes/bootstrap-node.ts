import { createSocket } from 'node:dgram'
import HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'
import type { BootstrapShare } from './network-mode.js'

/** Attempts to bind the port or to reach the node on it before the start fails. */
const START_ATTEMPTS = 3

/**
 * The DHT bootstrap node of one machine. Each worker has one of these objects. The first one
 * binds the port. The others watch it, and one of them takes it over when its holder ends. The node need not keep
 * its records: workers announce themselves again every few seconds.
 */
export class BootstrapNode extends ReadyResource implements BootstrapShare {
  readonly #address: HyperDHT.Address
  readonly #clock: Clock
  readonly #watchIntervalMs: number
  readonly #createProbe: () => HyperDHT
  readonly #onTaken: (port: number) => void
  #held: HyperDHT | null = null
  #probe: HyperDHT | null = null
  #watch: Timer | null = null

  /**
   * @param options.address where the node listens
   * @param options.createProbe creates the DHT node that watches it
   * @param options.onTaken called with the port whenever this process becomes the holder
   */
  constructor(options: {
    address: HyperDHT.Address
    clock: Clock
    watchIntervalMs: number
    createProbe: () => HyperDHT
    onTaken?: (port: number) => void
  }) {
    super()
    this.#address = options.address
    this.#clock = options.clock
    this.#watchIntervalMs = options.watchIntervalMs
    this.#createProbe = options.createProbe
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
    const probe = this.#createProbe()
    this.#probe = probe
    if (!(await this.#isServed(probe))) {
      await probe.destroy()
      const { host, port } = this.#address
      throw new StarlingError(
        'BOOTSTRAP_UNAVAILABLE',
        `UDP port ${port} on ${host} is used by something that is not a DHT node`,
      )
    }
    this.#watch = repeat(this.#clock, this.#watchIntervalMs, () => this.#check(probe))
  }

  protected override async _close(): Promise<void> {
    this.retire()
    await this.#probe?.destroy()
    await this.#held?.destroy()
    this.#held = null
  }

  async #isServed(probe: HyperDHT): Promise<boolean> {
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
      if ((await this.#take()) || (await isServing(probe, this.#address))) return true
    }
    return false
  }

  async #check(probe: HyperDHT): Promise<void> {
    if (this.#held !== null || (await isServing(probe, this.#address))) return
    if (this.#watch !== null && !this.closing) await this.#take()
  }

  /** Binds the port if it is free. */
  async #take(): Promise<boolean> {
    if (!(await isFree(this.#address))) return false
    const { host, port } = this.#address
    const node = HyperDHT.bootstrapper(port, host, { host })
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
    this.#onTaken(port)
    return true
  }
}

/** Whether a DHT node answers another one at that address, within about a second. Does not fail. */
export async function isServing(dht: HyperDHT, address: HyperDHT.Address): Promise<boolean> {
  try {
    await dht.ping(address, { retry: false })
    return true
  } catch (error) {
    safetyCatch(error)
    return false
  }
}

/** Checked first, because a DHT node that cannot bind its port leaks its sockets. */
function isFree({ host, port }: HyperDHT.Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: host, exclusive: true }, () => {
      socket.close(() => resolve(true))
    })
  })
}
