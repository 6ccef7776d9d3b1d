import type { Dispatcher } from 'undici'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'

/** The maximum size of a line or event of a stream. Function calls are the longest. */
export const MAX_PART_CHARACTERS = 1024 * 1024

/** The maximum size of a whole stream. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024

/**
 * How long each part of a stream after the first may take to arrive. The time that a slow reader takes does
 * not count.
 */
const IDLE_TIMEOUT_MS = 120_000

/** How long the end of the body may take to arrive after the last part that is needed. */
const REST_TIMEOUT_MS = 1000

/** How a stream of parts is read. */
export interface PartsOptions<Part> {
  readonly clock: Clock
  /** Returns the parts that these bytes complete. */
  readonly push: (bytes: Uint8Array) => Part[]
  /** Returns the parts that the end of the answer completes. */
  readonly end?: () => Part[]
}

/** The answer of a server, whose body has not been read yet. */
export class ServerAnswer {
  readonly status: number
  readonly #headers: Dispatcher.ResponseData['headers']
  readonly #body: Dispatcher.ResponseData['body']
  readonly #url: string
  readonly #signal: AbortSignal

  /**
   * @param url the server's address without credentials, for messages
   * @param signal ends the reading with its reason
   */
  constructor(
    { statusCode, headers, body }: Dispatcher.ResponseData,
    url: string,
    signal: AbortSignal,
  ) {
    this.status = statusCode
    this.#headers = headers
    // An error of the body is reported to its reader. If there is none, it does not matter.
    this.#body = body.on('error', () => undefined)
    this.#url = url
    this.#signal = signal
  }

  /** @param name in lower case */
  header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  /**
   * Checks the content type of the body.
   *
   * @throws StarlingError ENGINE_UNREACHABLE if it is another one, such as that of a proxy's error page
   */
  expect(...contentTypes: string[]): void {
    const type = this.header('content-type') ?? 'nothing'
    if (contentTypes.some((expected) => type.toLowerCase().startsWith(expected))) return
    this.discard()
    throw new StarlingError(
      'ENGINE_UNREACHABLE',
      `The server at ${this.#url} is not one of the kind that is configured: it answers with ` +
        `${type.slice(0, 64)} instead of ${contentTypes[0]}`,
    )
  }

  /**
   * The whole body.
   *
   * @throws StarlingError ENGINE_CRASHED if it is too long or incomplete
   */
  async text(maxBytes: number): Promise<string> {
    const pieces: Buffer[] = []
    for await (const bytes of this.#bytes(maxBytes)) pieces.push(bytes)
    return Buffer.concat(pieces).toString()
  }

  /**
   * The parts of the body, read on demand: if the reader pauses, the server is blocked once the buffers
   * between them are full.
   *
   * @throws StarlingError ENGINE_CRASHED if the body is incomplete, stalls, is too long, or contains a part
   *   that is too long
   */
  async *parts<Part>({ clock, push, end }: PartsOptions<Part>): AsyncGenerator<Part, void, void> {
    let idle: Timer | null = null
    try {
      for await (const bytes of this.#bytes(MAX_STREAM_BYTES)) {
        const parts = this.#withAnswerErrors(() => push(bytes))
        if (parts.length === 0) continue
        idle?.cancel()
        yield* parts
        idle = clock.schedule(IDLE_TIMEOUT_MS, () => {
          this.#body.destroy(this.#crash(`sent nothing more for ${IDLE_TIMEOUT_MS} ms`))
        })
      }
      idle?.cancel()
      if (end !== undefined) yield* this.#withAnswerErrors(end)
    } finally {
      idle?.cancel()
    }
  }

  /** @returns the error for an answer in an unexpected format */
  malformed(): StarlingError {
    return this.#crash('does not have the expected format')
  }

  /** Closes the connection, because the rest is not needed. */
  discard(): void {
    this.#body.destroy()
  }

  /** Call it when everything needed was read. The connection is kept if the answer ends now. */
  finish(clock: Clock): void {
    if (this.#body.closed) return
    const timer = clock.schedule(REST_TIMEOUT_MS, () => this.discard())
    this.#body.once('close', () => timer.cancel())
    this.#body.resume()
  }

  async *#bytes(maxBytes: number): AsyncGenerator<Buffer, void, void> {
    let sizeBytes = 0
    try {
      // Not destroyed on return: the caller decides whether the connection may be reused.
      for await (const chunk of this.#body.iterator({ destroyOnReturn: false })) {
        const bytes: Buffer = chunk
        sizeBytes += bytes.length
        if (sizeBytes > maxBytes) throw this.#crash(`sent more than ${maxBytes} bytes`)
        yield bytes
      }
    } catch (cause) {
      this.discard()
      if (this.#signal.aborted) throw this.#signal.reason
      throw isStarlingError(cause) ? cause : this.#crash('was cut off', cause)
    }
  }

  #withAnswerErrors<Result>(read: () => Result): Result {
    try {
      return read()
    } catch (cause) {
      // Another error may quote the answer, which must not be logged.
      if (!isStarlingError(cause)) throw this.malformed()
      throw this.#crash(`cannot be read: ${cause.message}`, cause)
    }
  }

  #crash(what: string, cause?: unknown): StarlingError {
    return new StarlingError('ENGINE_CRASHED', `The answer of the server at ${this.#url} ${what}`, {
      cause,
    })
  }
}
