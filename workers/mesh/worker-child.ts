import { fork } from 'node:child_process'
import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import { openLogFile } from '../../facilities/log/log-file.js'
import type { ChildProcess, Fork } from '../../facilities/process/child-process.js'
import { parentMessageSchema } from '../../facilities/process/parent-channel.js'
import { isErrorCode } from '../../helpers/errors/error-codes.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** The default of `network.drainTimeoutMs`. */
const DRAIN_TIMEOUT_MS = 10_000

/** How long a worker may take to close after it has drained, before it is killed. */
const CLOSE_TIMEOUT_MS = 5_000

/** How a worker is started. */
export interface WorkerChildOptions {
  /** `processor-2`. */
  readonly name: string
  /** Absolute path of the worker's entry. */
  readonly script: string
  /** Visible to all users of the machine: pass secrets in the environment. */
  readonly flags: readonly string[]
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Absolute path; appended to. */
  readonly logFile: string
  /** How long the worker may drain when it is stopped, in milliseconds. Default: 10,000. */
  readonly drainTimeoutMs?: number
  readonly clock: Clock
  /** Starts the process. Default: `fork` of node:child_process. */
  readonly fork?: Fork
}

/**
 * A worker as a child process. It ends by itself when this process has ended, because it watches the channel
 * between them. Its log is written to a file. Ready as soon as it runs; see {@link serving}.
 *
 * Emits `progress` (activity, fraction), and `notice` (text) for the user.
 */
export class WorkerChild extends ReadyResource {
  /** `processor-2`. */
  readonly name: string
  readonly #options: WorkerChildOptions
  #process: ChildProcess | null = null
  #gone: Promise<string> | null = null
  #serving: Promise<void> | null = null

  constructor(options: WorkerChildOptions) {
    super()
    this.name = options.name
    this.#options = options
  }

  /**
   * Resolves when the worker serves.
   *
   * @throws StarlingError why the worker could not start; INTERNAL if it did not say
   */
  async serving(): Promise<void> {
    await this.ready()
    await this.#serving
  }

  /** Resolves when it has ended, with a description: `SIGKILL`, `exit code 1`. */
  async ended(): Promise<string> {
    await this.ready()
    return (await this.#gone) ?? 'never started'
  }

  /** @throws StarlingError HOME_UNUSABLE, DISK_FULL or DISK_FAILED if its log cannot be opened */
  protected override async _open(): Promise<void> {
    const { script, flags, environment, logFile } = this.#options
    const start: Fork = this.#options.fork ?? fork
    const log = await openLogFile(logFile)
    try {
      const child = start(script, flags, {
        stdio: ['ignore', log.fd, log.fd, 'ipc'],
        env: environment,
        // A process group of its own: Ctrl-C at the terminal is for this process, which closes the workers.
        detached: true,
      })
      this.#process = child
      this.#gone = new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(error.message))
        child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
      })
      this.#serving = this.#started(child, this.#gone)
      this.#serving.catch(() => {
        // Reported by serving().
      })
    } finally {
      await log.close()
    }
  }

  protected override async _close(): Promise<void> {
    const { drainTimeoutMs = DRAIN_TIMEOUT_MS, clock } = this.#options
    this.#process?.kill('SIGTERM')
    const kill = clock.schedule(drainTimeoutMs + CLOSE_TIMEOUT_MS, () =>
      this.#process?.kill('SIGKILL'),
    )
    await this.#gone
    kill.cancel()
  }

  #started(child: ChildProcess, gone: Promise<string>): Promise<void> {
    return new Promise((resolve, reject) => {
      let failure: StarlingError | undefined
      child.on('message', (raw) => {
        const { data: message } = parentMessageSchema.safeParse(raw)
        if (message === undefined) return
        if (message.kind === 'ready') resolve()
        if (message.kind === 'progress') this.emit('progress', message.activity, message.fraction)
        if (message.kind === 'notice') this.emit('notice', message.text)
        if (message.kind === 'failed') {
          const code = isErrorCode(message.code) ? message.code : 'INTERNAL'
          failure = new StarlingError(code, `${this.name}: ${message.message}`)
        }
      })
      void gone.then((how) => {
        const unsaid = `${this.name} ended before it served (${how}); its log is ${this.#options.logFile}`
        reject(failure ?? new StarlingError('INTERNAL', unsaid))
      })
    })
  }
}
