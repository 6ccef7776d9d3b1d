import { type ChildProcess, fork } from 'node:child_process'
import type { Readable } from 'node:stream'
import ReadyResource from 'ready-resource'
import { END_PASTE_MODE } from '../../facilities/cli/terminal-session.js'
import type { Clock } from '../../facilities/clock/clock.js'
import type { ChildMessage } from '../../facilities/process/parent-channel.js'

/** How long the client may take to close before it is killed. */
const CLOSE_TIMEOUT_MS = 5_000

/** The client as a child process, with the terminal of this process, or a question and piped input. */
export class ClientChild extends ReadyResource {
  /** Its exit code, once it has ended. */
  readonly finished: Promise<number>
  readonly #script: string
  readonly #parameters: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  readonly #question: string | undefined
  readonly #input: Readable | undefined
  readonly #clock: Clock
  #process: ChildProcess | null = null
  #finish: (exitCode: number) => void = () => undefined

  /**
   * @param options.script absolute path of the client's entry
   * @param options.environment its whole environment
   * @param options.question written to its standard input. Unlike parameters, it is not visible to other
   *   users of the machine
   * @param options.input piped into its standard input, after the question and an empty line. Without
   *   question and input the client inherits the standard input of this process
   */
  constructor(options: {
    script: string
    parameters: readonly string[]
    environment: Readonly<Record<string, string>>
    question?: string | undefined
    input?: Readable | undefined
    clock: Clock
  }) {
    super()
    this.#clock = options.clock
    this.#script = options.script
    this.#parameters = options.parameters
    this.#environment = options.environment
    this.#question = options.question
    this.#input = options.input
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Lets the client show a notice. @returns false if it does not run */
  notify(text: string): boolean {
    if (this.#process?.connected !== true) return false
    const message: ChildMessage = { kind: 'notice', text }
    // With a callback, a client that has just ended causes no error here.
    this.#process.send(message, undefined, undefined, () => undefined)
    return true
  }

  protected override async _open(): Promise<void> {
    const [question, input] = [this.#question, this.#input]
    const isFed = question !== undefined || input !== undefined
    const child = fork(this.#script, this.#parameters, {
      stdio: [isFed ? 'pipe' : 'inherit', 'inherit', 'inherit', 'ipc'],
      env: this.#environment,
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
      child.stdin?.end(question)
      return
    }
    if (question !== undefined) child.stdin.write(`${question}\n\n`)
    input.pipe(child.stdin)
  }

  protected override async _close(): Promise<void> {
    this.#process?.kill('SIGTERM')
    const kill = this.#clock.schedule(CLOSE_TIMEOUT_MS, () => this.#process?.kill('SIGKILL'))
    await this.finished
    kill.cancel()
  }
}
