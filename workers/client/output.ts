import type { Writable } from 'node:stream'
import { homeToName } from '../../facilities/home/home.js'
import { describeBug, describeFailure } from '../../facilities/worker/run-worker.js'
import { adviceFor } from '../../helpers/errors/advice.js'
import { ERROR_CODES } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { toWireError } from '../../helpers/errors/wire-error.js'
import { SafeTextPieces, safeJson, safeLine, safeText } from '../../helpers/text/terminal-text.js'
import { WordWrap } from '../../helpers/text/word-wrap.js'
import { OutputBuffer } from './output-buffer.js'

const DIM = '\u001b[2m'
const NOT_DIM = '\u001b[22m'

/**
 * The output of a command: text, or with --json one object per line. Control characters in the text are
 * escaped. The JSON parses to exactly the values that were received.
 */
export class Output {
  readonly json: boolean
  readonly #result: Writable
  readonly #buffer: OutputBuffer
  readonly #notices: NodeJS.WritableStream
  readonly #isTerminal: boolean
  readonly #isColored: boolean
  readonly #home: string
  readonly #pieces = new SafeTextPieces()
  readonly #wrap: WordWrap
  /** Whether the current line contains a piece of an answer. */
  #isMidLine = false
  /** Whether a thought is being written. */
  #isThought = false
  #writeAside: (write: () => void) => void = (write) => write()

  /**
   * @param options.home the absolute path of the home in use, for commands in advice
   * @param options.notices the stream for notices and errors
   * @param options.isTerminal whether the result is written to a terminal. Default: false
   * @param options.isColored whether that terminal can show dimmed text
   * @param options.columns the current width of that terminal, for wrapping answers
   */
  constructor(options: {
    json: boolean
    home: string
    result: Writable
    notices: NodeJS.WritableStream
    isTerminal?: boolean
    isColored?: boolean
    columns?: () => number | undefined
  }) {
    this.json = options.json
    this.#home = options.home
    this.#result = options.result
    this.#buffer = new OutputBuffer(options.result)
    this.#notices = options.notices
    this.#isTerminal = options.isTerminal ?? false
    this.#isColored = options.isColored ?? false
    this.#wrap = new WordWrap(() => (this.#isTerminal ? options.columns?.() : undefined))
  }

  /**
   * Writes a result: `fields` for programs, `text` and a line end for people. The text may have several lines.
   * Apply `safeLine` to parts of it that come from a peer.
   */
  line(text: string, fields: Record<string, unknown>): void {
    this.#endThought()
    const line = this.json ? safeJson(fields) : `${this.#heldBack()}${safeText(text)}`
    this.#isMidLine = false
    this.#result.write(`${line}\n`)
  }

  /**
   * Writes a piece of a model's thought before its answer: on a terminal dimmed, or marked if it has no
   * colours. It is not written to pipes and files, except with --json. Resolves as {@link piece}.
   */
  async thought(
    text: string,
    fields: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.json) return await this.#write(text, fields, signal)
    if (!this.#isTerminal || text === '') return
    const begins = !this.#isThought
    this.#isThought = true
    if (begins && this.#isColored) this.#result.write(DIM)
    await this.#write(begins && !this.#isColored ? `[thought] ${text}` : text, fields, signal)
  }

  /**
   * Writes a piece of an answer. Resolves when the buffer has room for the next one, the output is
   * closed, or the signal is aborted.
   */
  async piece(text: string, fields: Record<string, unknown>, signal?: AbortSignal): Promise<void> {
    if (this.json || !this.#isThought || text === '') return await this.#write(text, fields, signal)
    this.#endThought()
    const apart = `${this.#isMidLine ? '\n' : ''}\n${this.#isColored ? '' : '[answer] '}`
    await this.#write(`${apart}${text}`, fields, signal)
  }

  async #write(
    text: string,
    fields: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const piece = this.json ? `${safeJson(fields)}\n` : this.#wrap.push(this.#pieces.push(text))
    if (piece === '' || !this.#result.writable) return
    this.#isMidLine = !piece.endsWith('\n')
    this.#result.write(piece)
    await this.#buffer.room(signal)
  }

  /** Resolves when all results are written, the output is closed, or the signal is aborted. */
  async written(signal: AbortSignal): Promise<void> {
    await this.#buffer.written(signal)
  }

  /**
   * Sets a function that writes everything but answers, so that the prompt of a chat is shown again below.
   */
  besideAPrompt(writeAside: (write: () => void) => void): void {
    this.#writeAside = writeAside
  }

  /** Writes a remark to the terminal. It is not written to pipes and files, nor with --json. */
  detail(text: string): void {
    if (this.json || !this.#isTerminal) return
    this.#endLine()
    const line = safeLine(text)
    this.#writeAside(() => {
      this.#result.write(this.#isColored ? `${DIM}${line}${NOT_DIM}\n` : `${line}\n`)
    })
  }

  /** Writes a notice for the user. Not with --json. */
  notice(text: string): void {
    if (this.json) return
    this.#writeAside(() => this.#notices.write(`${safeLine(text)}\n`))
  }

  /**
   * Reports that the user stopped an answer.
   *
   * @param dropped how many queued prompts were discarded with it
   */
  cancelled(dropped = 0): void {
    this.#endLine()
    const also = dropped === 0 ? '' : `, queued prompts discarded: ${dropped}`
    if (this.json) this.line('', { type: 'cancelled' })
    else this.detail(`stopped${also}`)
  }

  /** Reports an error. */
  failure(error: unknown): void {
    this.#endLine()
    if (this.json) {
      const { message, retryAfterMs } = toWireError(error)
      const code = isStarlingError(error) ? error.code : 'INTERNAL'
      const { retryable } = ERROR_CODES[code]
      const whatToDo = adviceFor(code, homeToName(this.#home))
      const fields = { type: 'error', code, message, retryable, whatToDo, retryAfterMs }
      this.#result.write(`${safeJson(fields)}\n`)
    } else {
      const described = isStarlingError(error)
        ? describeFailure(error, this.#home)
        : describeBug(error)
      this.#writeAside(() => this.#notices.write(`${described}\n`))
    }
  }

  /** Ends the current line of an incomplete answer. */
  #endLine(): void {
    this.#endThought()
    const rest = this.#heldBack()
    if (this.#isMidLine || rest !== '') this.#result.write(`${rest}\n`)
    this.#isMidLine = false
  }

  /** Ends the dimmed part of an answer. */
  #endThought(): void {
    if (!this.#isThought) return
    this.#isThought = false
    const rest = this.#heldBack()
    if (rest !== '') this.#isMidLine = !rest.endsWith('\n')
    this.#result.write(this.#isColored ? `${rest}${NOT_DIM}` : rest)
  }

  /** The end of an answer that is buffered for wrapping and decoding. */
  #heldBack(): string {
    return this.#wrap.push(this.#pieces.end()) + this.#wrap.end()
  }
}
