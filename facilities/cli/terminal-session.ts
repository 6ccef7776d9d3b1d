import type { Clock, Timer } from '../clock/clock.js'

/** Bracketed paste mode (DEC private mode 2004): the terminal marks the start and end of a paste. */
const BEGIN_PASTE_MODE = '\u001b[?2004h'
export const END_PASTE_MODE = '\u001b[?2004l'

/**
 * If the process still runs after this time, it was not stopped: the kernel ignores SIGTSTP for orphaned
 * process groups.
 */
const STOP_TIMEOUT_MS = 100

/** The part of `process` that a session uses. */
export interface SignalledProcess {
  readonly pid: number
  on(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
  kill(pid: number, signal: NodeJS.Signals): unknown
}

/**
 * The terminal settings of an interactive program: raw mode and bracketed paste mode. They are reset when
 * the program exits for any reason and while it is stopped, and set again when it continues.
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
   * @param options.setRawMode turns the raw mode of the terminal on or off
   * @param options.onContinued called when the program continues after a stop, to draw its prompt again
   * @param options.marksPastes whether to use bracketed paste mode. Default: true
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

  /** Turns bracketed paste mode on and handles signals. Raw mode is turned on by readline. */
  open(): void {
    this.#isOpen = true
    this.#markPastes(BEGIN_PASTE_MODE)
    this.#process.on('exit', this.#leave)
    this.#process.on('SIGTSTP', this.#stopAlone)
    this.#process.on('SIGCONT', this.#goOn)
  }

  /** Resets the terminal. */
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
   * Stops all processes of the job, as the terminal does when Ctrl-Z is typed outside of raw mode. The
   * shell then takes over.
   */
  stopJob(): void {
    this.#stop(0)
  }

  readonly #stopAlone = (): void => this.#stop(this.#process.pid)

  /** @param pid as for kill(2): 0 stands for all processes of the job */
  #stop(pid: number): void {
    if (this.#stopping !== null) return
    // Before the signal: a background process cannot change the settings of the terminal.
    this.#leave()
    // Without a listener the signal has its default effect.
    this.#process.off('SIGTSTP', this.#stopAlone)
    // Twice: after a stop the first timer is due before SIGCONT is received, the second one is not.
    this.#stopping = this.#clock.schedule(STOP_TIMEOUT_MS, () => {
      this.#stopping = this.#clock.schedule(STOP_TIMEOUT_MS, this.#goOn)
    })
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
