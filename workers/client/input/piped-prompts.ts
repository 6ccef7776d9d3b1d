import { createInterface, type Interface } from 'node:readline/promises'
import { StarlingError } from '../../../helpers/errors/starling-error.js'

/** More than any mesh accepts. A pipe without line ends must not fill the memory. */
const MAX_PIPED_LINE_BYTES = 16 * 1024 * 1024

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The prompts of a pipe or a file, one per line. */
export class PipedPrompts {
  readonly #lines: Interface
  #failure: StarlingError | undefined

  constructor(input: NodeJS.ReadableStream) {
    // readline would replace invalid UTF-8 by replacement characters. With this encoding each byte becomes
    // one character.
    input.setEncoding('latin1')
    this.#lines = createInterface({ input, terminal: false })
    this.#limitLines(input)
  }

  /** Stops reading. */
  close(): void {
    this.#lines.close()
  }

  /**
   * The prompts in their order. A line that is not valid UTF-8 is yielded as an error.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE when a line does not end
   */
  async *prompts(): AsyncGenerator<string | StarlingError, void, void> {
    let number = 0
    for await (const line of this.#lines) {
      number += 1
      yield decodedLine(line, number)
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Closes the input when a line is longer than any may be, before it fills the memory. */
  #limitLines(input: NodeJS.ReadableStream): void {
    let lineBytes = 0
    input.on('data', (chunk: string) => {
      const end = chunk.lastIndexOf('\n')
      lineBytes = end < 0 ? lineBytes + chunk.length : chunk.length - end - 1
      if (lineBytes <= MAX_PIPED_LINE_BYTES || this.#failure !== undefined) return
      this.#failure = new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `A line of standard input has more than ${MAX_PIPED_LINE_BYTES} bytes`,
      )
      this.close()
    })
  }
}

/** A line that was read with one character per byte. */
function decodedLine(line: string, number: number): string | StarlingError {
  try {
    return decoder.decode(Buffer.from(line, 'latin1'))
  } catch (cause) {
    return new StarlingError(
      'INVALID_REQUEST',
      `Line ${number} of standard input is not valid UTF-8`,
      { cause },
    )
  }
}
