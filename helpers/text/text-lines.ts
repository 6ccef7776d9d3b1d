import { StarlingError } from '../errors/starling-error.js'

const LINE_END = /\r\n|\n|\r/

/**
 * Splits a text that arrives in pieces into lines. It may be cut anywhere: within a line, between CR
 * and LF, within a UTF-8 character. A line ends with LF, CRLF or CR.
 */
export class TextLines {
  readonly #maxLineCharacters: number
  /** Node 24 drops two byte order marks if the first one is cut, so `#split` drops it instead. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #isAtStart = true
  #unfinished = ''
  /** The last piece ended with CR: an LF at the beginning of the next one belongs to it. */
  #afterCarriageReturn = false

  /** @param maxLineCharacters UTF-16 code units in one line */
  constructor(maxLineCharacters: number) {
    this.#maxLineCharacters = maxLineCharacters
  }

  /**
   * The lines that these bytes complete, without line ends.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE as soon as a line is too long
   */
  push(bytes: Uint8Array): string[] {
    return this.#split(this.#decoder.decode(bytes, { stream: true }))
  }

  /** The last line, if the text does not end with a line end. */
  end(): string[] {
    const lines = this.#split(this.#decoder.decode())
    if (this.#unfinished !== '') lines.push(this.#unfinished)
    this.#unfinished = ''
    return lines
  }

  #split(decoded: string): string[] {
    if (decoded === '') return []
    const dropped = this.#isAtStart ? '\ufeff' : this.#afterCarriageReturn ? '\n' : ''
    const text = decoded.startsWith(dropped) ? decoded.slice(dropped.length) : decoded
    this.#isAtStart = false
    this.#afterCarriageReturn = decoded.endsWith('\r')
    const lines = text.split(LINE_END)
    lines[0] = this.#unfinished + (lines[0] ?? '')
    if (lines.some((line) => line.length > this.#maxLineCharacters)) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `A line has more than ${this.#maxLineCharacters} characters`,
      )
    }
    this.#unfinished = lines.pop() ?? ''
    return lines
  }
}
