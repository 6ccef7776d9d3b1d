import { type ChildProcess, fork } from 'node:child_process'
import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'

/** How long the client may take to close before it is killed. */
const CLOSE_TIMEOUT_MS = 5_000

/** The client as a child process that has this process's terminal. */
export class ClientChild extends ReadyResource {
  /** Its exit code, once it has ended. */
  readonly finished: Promise<number>
  readonly #script: string
  readonly #parameters: readonly string[]
  readonly #clock: Clock
  #process: ChildProcess | null = null
  #finish: (exitCode: number) => void = () => undefined

  /** @param options.script absolute path of the client's entry */
  constructor(options: { script: string; parameters: readonly string[]; clock: Clock }) {
    super()
    this.#clock = options.clock
    this.#script = options.script
    this.#parameters = options.parameters
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  protected override async _open(): Promise<void> {
    const child = fork(this.#script, this.#parameters, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    })
    child.once('exit', (code) => this.#finish(code ?? 1))
    child.once('error', () => this.#finish(1))
    this.#process = child
  }

  protected override async _close(): Promise<void> {
    this.#process?.kill('SIGTERM')
    const kill = this.#clock.schedule(CLOSE_TIMEOUT_MS, () => this.#process?.kill('SIGKILL'))
    await this.finished
    kill.cancel()
  }
}
