import { fork } from 'node:child_process'
import type { Readable } from 'node:stream'
import ReadyResource from 'ready-resource'
import { END_PASTE_MODE } from '../../facilities/cli/terminal-session.js'
import type { Clock } from '../../facilities/clock/clock.js'
import type { ChildProcess, Fork } from '../../facilities/process/child-process.js'
import type { ChildMessage } from '../../facilities/process/parent-channel.js'

/** How long the client may take to close before it is killed. */
const CLOSE_TIMEOUT_MS = 5_000

/** How the client is started. */
export interface ClientChildOptions {
  /** Absolute path of the client's entry. */
  readonly script: string
  readonly parameters: readonly string[]
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Written to its standard input. Unlike parameters, it is not visible to other users of the machine. */
  readonly prompt?: string | undefined
  /**
   * Piped into its standard input, after the prompt and an empty line. Without prompt and input the client
   * inherits the standard input of this process.
   */
  readonly input?: Readable | undefined
  readonly clock: Clock
  /** Starts the process. Default: `fork` of node:child_process. */
  readonly fork?: Fork
}

/** The client as a child process, with the terminal of this process, or a prompt and piped input. */
export class ClientChild extends ReadyResource {
  /** Its exit code, once it has ended. */
  readonly finished: Promise<number>
  readonly #options: ClientChildOptions
  #process: ChildProcess | null = null
  #finish: (exitCode: number) => void = () => undefined

  constructor(options: ClientChildOptions) {
    super()
    this.#options = options
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Shows a notice in the client. @returns false if the client does not run */
  notify(text: string): boolean {
    if (this.#process?.connected !== true) return false
    const message: ChildMessage = { kind: 'notice', text }
    // With a callback, a client that has just ended causes no error here.
    this.#process.send(message, () => undefined)
    return true
  }

  protected override async _open(): Promise<void> {
    const { script, parameters, environment, prompt, input } = this.#options
    const start: Fork = this.#options.fork ?? fork
    const child = start(script, parameters, {
      stdio: [
        prompt === undefined && input === undefined ? 'inherit' : 'pipe',
        'inherit',
        'inherit',
        'ipc',
      ],
      env: environment,
    })
    child.once('exit', (code) => {
      // It was killed and could not reset the terminal.
      if (code === null && process.stdout.isTTY) process.stdout.write(END_PASTE_MODE)
      this.#finish(code ?? 1)
    })
    child.once('error', () => this.#finish(1))
    this.#process = child
    child.stdin?.on('error', () => {
      // The client ended before it had read everything, and has reported why.
    })
    if (input === undefined || child.stdin === null) {
      child.stdin?.end(prompt)
      return
    }
    if (prompt !== undefined) child.stdin.write(`${prompt}\n\n`)
    input.pipe(child.stdin)
  }

  protected override async _close(): Promise<void> {
    this.#process?.kill('SIGTERM')
    const kill = this.#options.clock.schedule(CLOSE_TIMEOUT_MS, () =>
      this.#process?.kill('SIGKILL'),
    )
    await this.finished
    kill.cancel()
  }
}
