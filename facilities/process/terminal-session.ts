import type { Clock, Timer } from '../clock/clock.js'

/** DEC private mode 2004: the terminal marks what is pasted. */
const BEGIN_PASTE_MODE = '\u001b[?2004h'
export const END_PASTE_MODE = '\u001b[?2004l'

/**
 * How long a job that asked to be stopped may run on. The kernel stops none that nobody could continue:
 * one without a shell.
 */
const STOP_TIMEOUT_MS = 200

/** The part of this process that a session needs. */
export interface SignalledProcess {
  readonly pid: number
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  kill(pid: number, signal: NodeJS.Signals): unknown
}

/**
 * What a program that reads keys changes about its terminal, and how it takes that back whenever it
 * leaves the terminal to somebody else: when it ends, however it does, and while it is stopped.
 */
export class TerminalSession {
  readonly #screen: NodeJS.WritableStream
  readonly #clock: Clock
  readonly #process: SignalledProcess
  readonly #setRawMode: (isRaw: boolean) => void
  readonly #onContinued: () => void
  readonly #marksPastes: boolean
  #isOpen = false
  #stopping: Timer | null = null

  /**
   * @param options.setRawMode whether keys are handed over one by one, Ctrl-C and Ctrl-Z among them
   * @param options.onContinued the terminal is ours again, and shows something else
   * @param options.marksPastes false for a terminal that does not know of it
   */
  constructor(options: {
    screen: NodeJS.WritableStream
    clock: Clock
    setRawMode: (isRaw: boolean) => void
    onContinued: () => void
    marksPastes?: boolean
    process?: SignalledProcess
  }) {
    this.#screen = options.screen
    this.#clock = options.clock
    this.#process = options.process ?? process
    this.#setRawMode = options.setRawMode
    this.#onContinued = options.onContinued
    this.#marksPastes = options.marksPastes ?? true
  }

  /** Takes the terminal. */
  open(): void {
    this.#isOpen = true
    this.#markPastes(BEGIN_PASTE_MODE)
    this.#process.on('exit', this.#leave)
    this.#process.on('SIGTSTP', this.#stopAlone)
    this.#process.on('SIGCONT', this.#goOn)
  }

  /** Gives it back. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#stopping?.cancel()
    this.#process.off('exit', this.#leave)
    this.#process.off('SIGTSTP', this.#stopAlone)
    this.#process.off('SIGCONT', this.#goOn)
    this.#leave()
  }

  /**
   * Does what the terminal itself does at Ctrl-Z while nobody reads its keys: stops all processes of
   * the job, so that its shell comes back.
   */
  stopJob(): void {
    this.#stop(0)
  }

  readonly #stopAlone = (): void => this.#stop(this.#process.pid)

  /** @param pid as for kill(2): 0 is every process of the job */
  #stop(pid: number): void {
    if (this.#stopping !== null) return
    // First of all: a process in the background may not change the terminal any more.
    this.#leave()
    // Without a listener the signal stops this process.
    this.#process.off('SIGTSTP', this.#stopAlone)
    this.#stopping = this.#clock.schedule(STOP_TIMEOUT_MS, this.#goOn)
    this.#process.kill(pid, 'SIGTSTP')
  }

  readonly #goOn = (): void => {
    if (this.#stopping !== null) {
      this.#stopping.cancel()
      this.#stopping = null
      this.#process.on('SIGTSTP', this.#stopAlone)
    }
    this.#setRawMode(true)
    this.#markPastes(BEGIN_PASTE_MODE)
    this.#onContinued()
  }

  readonly #leave = (): void => {
    this.#markPastes(END_PASTE_MODE)
    this.#setRawMode(false)
  }

  #markPastes(sequence: string): void {
    if (this.#marksPastes) this.#screen.write(sequence)
  }
}
