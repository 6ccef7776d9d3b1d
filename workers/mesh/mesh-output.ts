import { safeLine } from '../../helpers/text/terminal-text.js'

/**
 * What `npm start` writes about its workers. The progress of a start is one line that changes on a terminal, and
 * elsewhere a line for each new activity.
 */
export class MeshOutput {
  readonly #output: NodeJS.WriteStream
  readonly #shown = new Map<string, string>()
  #isEnded = false
  #noteElsewhere: (text: string) => boolean = () => false

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
  }

  /** @param fraction from 0 to 1 */
  show(worker: string, activity: string, fraction: number): void {
    if (this.#isEnded) return
    if (this.#output.isTTY) {
      this.#rewrite(safeLine(`${worker}: ${activity} … ${Math.floor(fraction * 100)} %`))
      return
    }
    if (this.#shown.get(worker) === activity) return
    this.#shown.set(worker, activity)
    this.#output.write(`${safeLine(`${worker}: ${activity}`)} …\n`)
  }

  /**
   * Passes notes to `noteElsewhere` from now on.
   *
   * @param noteElsewhere returns false if it cannot show the note
   */
  noteBy(noteElsewhere: (text: string) => boolean): void {
    this.#noteElsewhere = noteElsewhere
  }

  /** Writes a line that stays. */
  note(text: string): void {
    if (this.#noteElsewhere(text)) return
    if (this.#output.isTTY) this.#rewrite('')
    this.#output.write(`${safeLine(text)}\n`)
  }

  /** Says that a worker ended unexpectedly, by which signal or exit code, and when it is restarted. */
  restarts(worker: string, how: string, restartInMs: number, logs: string): void {
    const when = `is restarted in ${restartInMs} ms; its log is in ${logs}`
    this.note(`${worker} ended unexpectedly (${how}) and ${when}`)
  }

  /** Removes the line that changes. From now on only notes are shown. */
  end(): void {
    this.#isEnded = true
    if (this.#output.isTTY) this.#rewrite('')
  }

  #rewrite(text: string): void {
    this.#output.clearLine(0)
    this.#output.cursorTo(0)
    this.#output.write(text)
  }
}
