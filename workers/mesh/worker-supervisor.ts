import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { retryDelayMs } from '../../helpers/routing/retry-delay.js'
import { WorkerChild, type WorkerChildOptions } from './worker-child.js'

/** The delays before restarts. */
const RESTART_DELAYS = { firstMs: 250, mostMs: 30_000 }

/** After a worker has served for this long, its next restart has the first delay again. */
const STEADY_MS = 60_000

/**
 * Keeps a worker running: restarts it when it ends, with exponential backoff. A worker that has never served
 * is not restarted, because the user has to correct the reason first. Ready as soon as the first process
 * runs; see {@link serving}.
 *
 * Emits `progress` (activity, fraction), `notice` (text), `serving`, and `exit` (how, restartInMs).
 */
export class WorkerSupervisor extends ReadyResource {
  readonly name: string
  readonly #options: WorkerChildOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #closing = new AbortController()
  #child: WorkerChild
  #failures = 0

  constructor(options: WorkerChildOptions & { readonly random: Random }) {
    super()
    this.name = options.name
    this.#options = options
    this.#clock = options.clock
    this.#random = options.random
    this.#child = this.#createChild()
  }

  /** Resolves when the worker serves for the first time. @throws StarlingError as WorkerChild */
  async serving(): Promise<void> {
    await this.ready()
    await this.#child.serving()
  }

  protected override async _open(): Promise<void> {
    await this.#child.ready()
    this.#child.serving().then(
      () => void this.#watch(),
      () => {
        // Reported by serving().
      },
    )
  }

  protected override async _close(): Promise<void> {
    this.#closing.abort()
    await this.#child.close()
  }

  #createChild(): WorkerChild {
    const child = new WorkerChild(this.#options)
    child.on('progress', (activity: string, fraction: number) =>
      this.emit('progress', activity, fraction),
    )
    child.on('notice', (text: string) => this.emit('notice', text))
    return child
  }

  /** Restarts the worker whenever it ends, until this is closed. */
  async #watch(): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      this.emit('serving')
      let how = await this.#served()
      for (;;) {
        if (signal.aborted) return
        this.#failures += 1
        // With jitter, so that workers that ended at the same time do not restart at the same time.
        const fraction = this.#random.fraction()
        const delayMs = retryDelayMs(RESTART_DELAYS, this.#failures, fraction)
        this.emit('exit', how, delayMs)
        try {
          await this.#clock.sleep(delayMs, signal)
        } catch {
          // Closed during the delay.
          return
        }
        this.#child = this.#createChild()
        try {
          await this.#child.serving()
          break
        } catch (error) {
          how = error instanceof Error ? error.message : String(error)
        }
      }
    }
  }

  /** Resolves with a description when the worker has ended. */
  async #served(): Promise<string> {
    const since = this.#clock.monotonic()
    const how = await this.#child.ended()
    if (this.#clock.monotonic() - since >= STEADY_MS) this.#failures = 0
    return how
  }
}
