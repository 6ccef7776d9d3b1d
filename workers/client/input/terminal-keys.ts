import { emitKeypressEvents, type Key } from 'node:readline'
import { PassThrough } from 'node:stream'
import type { TerminalInput } from '../run-client.js'

/** No mesh takes more as a prompt. */
const MAX_PASTE_CHARACTERS = 1024 * 1024

/**
 * The keys of a terminal, for readline, and apart from them what is pasted: a terminal in bracketed
 * paste mode marks its beginning and its end, and line ends within it are no Enter.
 *
 * Emits `keypress` as readline's own, and `paste` with the text, or with null when it is too long.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html#h2-Bracketed-Paste-Mode
 */
export class TerminalKeys extends PassThrough {
  readonly isTTY = true
  readonly #input: TerminalInput
  /** What was pasted so far; null outside of a paste. */
  #pasted: string[] | null = null
  #pastedCharacters = 0

  constructor(input: TerminalInput) {
    super()
    this.#input = input
    emitKeypressEvents(input)
    input.on('keypress', (text: string | undefined, key: Key) => this.#take(text, key))
    input.once('end', () => this.end())
    // The terminal is gone.
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
      // No paste holds a Ctrl-C: one whose end was lost is left by it.
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
