import { emitKeypressEvents, type Key } from 'node:readline'
import { PassThrough } from 'node:stream'
import type { TerminalInput } from '../run-client.js'

/** The limit of a prompt. */
const MAX_PASTE_CHARACTERS = 1024 * 1024

/**
 * Reads the keys of a terminal in bracketed paste mode, and separates pasted text from typed keys: a line
 * end within a paste must not submit the line. It is the input stream of readline.
 *
 * Emits `keypress`, as expected by readline, and `paste` with the text, or with null if it is too long.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html#h2-Bracketed-Paste-Mode
 */
export class BracketedPasteInput extends PassThrough {
  readonly isTTY = true
  readonly #input: TerminalInput
  /** The parts of the current paste; null outside of a paste. */
  #pasted: string[] | null = null
  #pastedCharacters = 0

  constructor(input: TerminalInput) {
    super()
    this.#input = input
    emitKeypressEvents(input)
    input.on('keypress', (text: string | undefined, key: Key) => this.#take(text, key))
    input.once('end', () => this.end())
    // The terminal was closed.
    input.once('error', () => this.end())
  }

  setRawMode(isRaw: boolean): this {
    this.#input.setRawMode?.(isRaw)
    return this
  }

  override pause(): this {
    this.#input.pause()
    return super.pause()
  }

  override resume(): this {
    this.#input.resume()
    return super.resume()
  }

  #take(text: string | undefined, key: Key): void {
    if (key.name === 'paste-start') {
      this.#pasted = []
      this.#pastedCharacters = 0
    } else if (this.#pasted === null) {
      this.emit('keypress', text, key)
    } else if (key.ctrl === true && key.name === 'c') {
      // Leaves a paste whose end marker was lost. Pasted text cannot contain Ctrl-C.
      this.#pasted = null
    } else if (key.name === 'paste-end') {
      this.#endPaste(this.#pasted)
    } else {
      this.#pastedCharacters += key.sequence?.length ?? 0
      if (this.#pastedCharacters <= MAX_PASTE_CHARACTERS) this.#pasted.push(key.sequence ?? '')
    }
  }

  #endPaste(pasted: readonly string[]): void {
    this.#pasted = null
    const isTooLong = this.#pastedCharacters > MAX_PASTE_CHARACTERS
    this.emit('paste', isTooLong ? null : pasted.join('').replaceAll(/\r\n?/g, '\n'))
  }
}
