import { EXIT_CODES } from './exit-codes.js'
import { whenParentGone } from './parent-channel.js'

/**
 * Decides when this process ends: at SIGTERM or SIGINT, when its parent process is gone, or when it ends
 * itself. A second signal ends it at once.
 */
export class ProcessLife {
  /** Resolves with the exit code when it is time to close. */
  readonly ended: Promise<number>
  readonly #process: NodeJS.Process
  #resolve: (exitCode: number) => void = () => undefined
  #isEnding = false
  #ignoresInterrupts = false

  constructor(thisProcess: NodeJS.Process = process) {
    this.#process = thisProcess
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
    thisProcess.on('SIGTERM', () => this.#onSignal())
    thisProcess.on('SIGINT', () => {
      if (this.#isEnding || !this.#ignoresInterrupts) this.#onSignal()
    })
    whenParentGone(() => this.end(EXIT_CODES.done), thisProcess)
  }

  /** Ends the process with this exit code, after everything that was opened is closed. */
  end(exitCode: number): void {
    this.#isEnding = true
    this.#resolve(exitCode)
  }

  /** Leaves SIGINT to a child process from now on, until this process has begun to close. */
  leaveInterrupts(): void {
    this.#ignoresInterrupts = true
  }

  #onSignal(): void {
    if (this.#isEnding) this.#process.exit(EXIT_CODES.failed)
    this.end(EXIT_CODES.done)
  }
}
