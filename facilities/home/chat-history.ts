import type { Random } from '../clock/random.js'
import { readPrivateText, writePrivateText } from '../files/private-file.js'

/** Older lines are removed. */
export const MAX_HISTORY_LINES = 500
/** Longer lines are not kept: they are rarely recalled with the arrow keys. */
const MAX_HISTORY_LINE_CHARACTERS = 4096

/**
 * The lines typed into the chats of one home, which the arrow keys recall in the next chat: a private file
 * with one line each, the oldest first. It never leaves the machine.
 */
export class ChatHistory {
  readonly #path: string
  readonly #random: Random

  constructor(path: string, random: Random) {
    this.#path = path
    this.#random = random
  }

  /** The lines, the oldest first. @throws StarlingError HOME_UNUSABLE */
  async lines(): Promise<string[]> {
    const text = (await readPrivateText(this.#path)) ?? ''
    return text
      .split('\n')
      .filter((line) => line !== '')
      .slice(-MAX_HISTORY_LINES)
  }

  /**
   * Adds a line, unless it repeats the last one, is empty, or begins with a space, as in a shell's history.
   *
   * @throws StarlingError HOME_UNUSABLE
   */
  async keep(line: string): Promise<void> {
    if (!isKept(line)) return
    const lines = await this.lines()
    if (lines.at(-1) === line) return
    const kept = [...lines, line].slice(-MAX_HISTORY_LINES)
    await writePrivateText(this.#path, `${kept.join('\n')}\n`, this.#random)
  }
}

/** Whether a line belongs in the history. */
export function isKept(line: string): boolean {
  return (
    line.trim() !== '' &&
    !line.startsWith(' ') &&
    !/[\n\r]/.test(line) &&
    line.length <= MAX_HISTORY_LINE_CHARACTERS
  )
}
