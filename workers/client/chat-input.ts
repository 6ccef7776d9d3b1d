import { createInterface, type Interface } from 'node:readline/promises'
import { isKept, MAX_HISTORY_LINES } from '../../facilities/home/chat-history.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Terminal } from './run-client.js'

const PROMPT = '> '

/** More than any mesh takes: a pipe that brings no line end is not to fill the memory. */
const MAX_PIPED_LINE_BYTES = 16 * 1024 * 1024

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The prompts of a chat: typed at a terminal, with the arrow keys for what was typed before, or one a
 * line from a pipe. What is typed while an answer streams waits for its turn.
 */
export class ChatInput {
  /** Whether somebody types. */
  readonly isInteractive: boolean
  readonly #screen: NodeJS.WritableStream
  readonly #lines: Interface
  #received = 0
  #taken = 0
  #isOpen = true
  #failure: StarlingError | undefined

  /**
   * @param options.history what was typed before, the oldest first
   * @param options.onInterrupt Ctrl-C was typed
   */
  constructor(options: {
    terminal: Terminal
    history: readonly string[]
    onInterrupt: () => void
  }) {
    const { input, screen } = options.terminal
    this.isInteractive = input.isTTY ?? false
    this.#screen = screen
    // readline would put replacement characters for what is no UTF-8. Like this it hands every byte
    // over as a character.
    if (!this.isInteractive) input.setEncoding('latin1')
    this.#lines = createInterface({
      input,
      ...(this.isInteractive && { output: screen }),
      terminal: this.isInteractive,
      prompt: PROMPT,
      // The latest first, which is how readline keeps them.
      history: [...options.history].reverse(),
      historySize: MAX_HISTORY_LINES,
    })
    this.#lines.on('line', () => {
      this.#received += 1
    })
    this.#lines.once('close', () => {
      this.#isOpen = false
    })
    if (!this.isInteractive) this.#limitLines(input)
    this.#lines.on('SIGINT', options.onInterrupt)
    // readline hands its own list over, for exactly this.
    this.#lines.on('history', (lines: string[]) => {
      if (lines[0] !== undefined && !isKept(lines[0])) lines.shift()
    })
  }

  /** Ends the chat once what was typed already is through. */
  close(): void {
    this.#lines.close()
  }

  /**
   * The prompts in their order, each asked for when the one before it is dealt with. In the place of a
   * line from a pipe that is no UTF-8 stands the error that says so.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE when a pipe brings a line without an end
   */
  async *prompts(): AsyncGenerator<string | StarlingError, void, void> {
    const lines = this.#lines[Symbol.asyncIterator]()
    for (;;) {
      const wasTypedAhead = this.#received > this.#taken
      if (!wasTypedAhead && this.#isOpen && this.isInteractive) this.#lines.prompt()
      const next = await lines.next()
      if (next.done) {
        if (this.#failure !== undefined) throw this.#failure
        return
      }
      this.#taken += 1
      // It was typed into the answer before; now that its turn has come, it is shown again.
      if (wasTypedAhead && this.isInteractive) this.#screen.write(`${PROMPT}${next.value}\n`)
      yield this.isInteractive ? next.value : decodedLine(next.value, this.#taken)
    }
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

/** A line that was handed over a byte a character. */
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
