import ReadyResource from 'ready-resource'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import { repeat } from '../../facilities/clock/repeat.js'
import type { HealthProblem } from '../../facilities/worker/worker-health.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ModelServerStatus } from './model-server-status.js'
import type { EngineOffer } from './pooled-model.js'

/** How often each server is checked: one short request to a server that is usually local. */
const CHECK_INTERVAL_MS = 5_000

/**
 * Checks periodically whether the servers of a processor answer.
 *
 * Emits `down` (server, error) when one stops answering, or does not answer at the start; `up` (server)
 * when it answers again; `found` (server, offers) when one answers for the first time with its models; and
 * `refused` (names), see {@link refused}.
 */
export class ServerWatch extends ReadyResource {
  readonly #servers: readonly ModelServerStatus[]
  readonly #clock: Clock
  readonly #timers: Timer[] = []
  readonly #down = new Set<ModelServerStatus>()
  #fail: (error: unknown) => void = () => undefined
  /** Rejects when a server that was awaited cannot be used. */
  readonly #failed: Promise<never>

  /** @param options.servers must have been checked once */
  constructor(options: { servers: readonly ModelServerStatus[]; clock: Clock }) {
    super()
    this.#servers = options.servers
    this.#clock = options.clock
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.#failed.catch(() => {
      // Reported by the code that waits for it.
    })
  }

  /** The servers that do not answer, with their errors. */
  get failures(): { readonly server: ModelServerStatus; readonly error: StarlingError }[] {
    return this.#servers.flatMap((server) =>
      server.failure === null ? [] : { server, error: server.failure },
    )
  }

  /** The problems by servers. @param blocks whether the processor needs them */
  problems(blocks: boolean): HealthProblem[] {
    return this.failures.map(({ server, error }) => ({
      // The engine that crashed does not belong to this processor.
      code: error.code === 'ENGINE_CRASHED' ? 'ENGINE_UNREACHABLE' : error.code,
      message: `${server.hasListed ? 'Lost' : 'Waiting for'} ${server.title}: ${error.message}`,
      blocks,
    }))
  }

  /**
   * Resolves at the next check that a server answers.
   *
   * @throws StarlingError if waiting does not help, see {@link ModelServerStatus.check}
   */
  async answered(): Promise<void> {
    const next = new Promise<void>((resolve) => this.once('answered', () => resolve()))
    await Promise.race([next, this.#failed])
  }

  /** Models of a server that are not offered, because others have their names. */
  refused(names: readonly string[]): void {
    this.emit('refused', names)
  }

  protected override async _open(): Promise<void> {
    for (const server of this.#servers) {
      this.#note(server, [])
      this.#timers.push(repeat(this.#clock, CHECK_INTERVAL_MS, () => this.#check(server)))
    }
  }

  protected override async _close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel()
  }

  async #check(server: ModelServerStatus): Promise<void> {
    try {
      this.#note(server, await server.check())
    } catch (error) {
      this.#fail(error)
    }
  }

  #note(server: ModelServerStatus, offers: readonly EngineOffer[]): void {
    if (server.failure !== null) {
      if (this.#down.has(server)) return
      this.#down.add(server)
      this.emit('down', server, server.failure)
      return
    }
    const wasDown = this.#down.delete(server)
    if (offers.length > 0) this.emit('found', server, offers)
    else if (wasDown) this.emit('up', server)
    this.emit('answered')
  }
}
