import type { Random } from '../clock/random.js'
import { readPrivateText, writePrivateText } from '../files/private-file.js'

/** Older lines are forgotten. */
export const MAX_HISTORY_LINES = 500
/** Longer lines are not kept: nobody looks for them with the arrow keys. */
const MAX_HISTORY_LINE_CHARACTERS = 4096

/**
 * What was typed into the chats of one home, for the arrow keys of the next one: a file that only its
 * owner may read, one line each, the oldest first. It never leaves the machine.
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
   * Keeps a line, unless it is the last one already, is empty, or begins with a space: that is how
   * somebody says that it is not to be kept.
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

/** Whether a line is one to be found again with the arrow keys. */
export function isKept(line: string): boolean {
  return (
    line.trim() !== '' &&
    !line.startsWith(' ') &&
    !/[\n\r]/.test(line) &&
    line.length <= MAX_HISTORY_LINE_CHARACTERS
  )
}
