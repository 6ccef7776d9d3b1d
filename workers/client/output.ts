import { describeFailure } from '../../facilities/process/run-worker.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { toWireError } from '../../helpers/errors/wire-error.js'

/** Where a command writes its result: for people, or with --json one object a line. */
export class Output {
  readonly json: boolean
  readonly #result: NodeJS.WritableStream
  readonly #notices: NodeJS.WritableStream

  /** @param options.notices waiting and failures: never mixed into the result */
  constructor(options: {
    json: boolean
    result: NodeJS.WritableStream
    notices: NodeJS.WritableStream
  }) {
    this.json = options.json
    this.#result = options.result
    this.#notices = options.notices
  }

  /** A result: `fields` for programs, `text` and a line end for people. */
  line(text: string, fields: Record<string, unknown>): void {
    this.#result.write(`${this.json ? JSON.stringify(fields) : text}\n`)
  }

  /** A piece of an answer. Resolves when there is room for the next one, or nobody reads any more. */
  async piece(text: string, fields: Record<string, unknown>): Promise<void> {
    const piece = this.json ? `${JSON.stringify(fields)}\n` : text
    if (piece === '' || !this.#result.writable || this.#result.write(piece)) return
    await new Promise<void>((resolve) => {
      const goOn = () => {
        this.#result.off('drain', goOn)
        this.#result.off('close', goOn)
        resolve()
      }
      this.#result.on('drain', goOn)
      this.#result.on('close', goOn)
    })
  }

  /** Something that a person may want to know while waiting. */
  notice(text: string): void {
    if (!this.json) this.#notices.write(`${text}\n`)
  }

  /** A failure. */
  failure(error: unknown): void {
    if (this.json) {
      const { code, message } = toWireError(error)
      this.#result.write(`${JSON.stringify({ type: 'error', code, message })}\n`)
    } else if (isStarlingError(error)) {
      this.#notices.write(`${describeFailure(error)}\n`)
    } else {
      this.#notices.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    }
  }
}
