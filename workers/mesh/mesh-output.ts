import { safeLine } from '../../helpers/text/terminal-text.js'

/**
 * Shows the progress of workers that start: on a terminal in one line that changes, elsewhere with a line for
 * each new activity.
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
