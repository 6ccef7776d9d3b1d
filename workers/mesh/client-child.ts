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
  readonly #environment: Readonly<Record<string, string>>
  readonly #question: string | undefined
  readonly #clock: Clock
  #process: ChildProcess | null = null
  #finish: (exitCode: number) => void = () => undefined

  /**
   * @param options.script absolute path of the client's entry
   * @param options.environment its whole environment
   * @param options.question written to its standard input, which is the terminal otherwise. Unlike
   *   parameters, it is not visible to other users of the machine.
   */
  constructor(options: {
    script: string
    parameters: readonly string[]
    environment: Readonly<Record<string, string>>
    question?: string | undefined
    clock: Clock
  }) {
    super()
    this.#clock = options.clock
    this.#script = options.script
    this.#parameters = options.parameters
    this.#environment = options.environment
    this.#question = options.question
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  protected override async _open(): Promise<void> {
    const input = this.#question === undefined ? 'inherit' : 'pipe'
    const child = fork(this.#script, this.#parameters, {
      stdio: [input, 'inherit', 'inherit', 'ipc'],
      env: this.#environment,
    })
    child.stdin?.on('error', () => {
      // The client ended before it had read the question, and has reported why.
    })
    child.stdin?.end(this.#question)
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
