import type { Dispatcher } from 'undici'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'

/** One line of a stream, or one event: a call of a function is the longest of them. */
export const MAX_PART_CHARACTERS = 1024 * 1024

/** A whole stream. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024

/**
 * How long the next part of a stream may take once the first one is there. A slow reader's time is
 * its own.
 */
const IDLE_TIMEOUT_MS = 120_000

/** How long what follows the last part that was wanted may take to arrive. */
const REST_TIMEOUT_MS = 1000

/** How a stream of parts is read. */
export interface PartsOptions<Part> {
  readonly clock: Clock
  /** The parts that these bytes complete. */
  readonly push: (bytes: Uint8Array) => Part[]
  /** The parts that the end of the answer completes. */
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
    // How the body ends matters only to those who read it, and they are told.
    this.#body = body.on('error', () => undefined)
    this.#url = url
    this.#signal = signal
  }

  /** @param name in small letters */
  header(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  /**
   * Makes sure that the body is what was asked for.
   *
   * @throws StarlingError ENGINE_UNREACHABLE when it is something else: a page, of a proxy perhaps
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
   * @throws StarlingError ENGINE_CRASHED when it is longer than that, or breaks off
   */
  async text(maxBytes: number): Promise<string> {
    const pieces: Buffer[] = []
    for await (const bytes of this.#bytes(maxBytes)) pieces.push(bytes)
    return Buffer.concat(pieces).toString()
  }

  /**
   * The parts of the body, read as they are asked for: a reader that stops stops the server, as soon
   * as the buffers between them are full.
   *
   * @throws StarlingError ENGINE_CRASHED when the body breaks off, stalls, is too long, or holds a
   *   part that is
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

  /** @returns the error of an answer that is not in the form that was agreed */
  malformed(): StarlingError {
    return this.#crash('is not in the form that was agreed')
  }

  /** Closes the connection: nothing more is wanted. */
  discard(): void {
    this.#body.destroy()
  }

  /** Everything that was wanted has been read: lets the connection be used again, if it ends now. */
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
      throw isStarlingError(cause) ? cause : this.#crash('broke off in the middle', cause)
    }
  }

  #withAnswerErrors<Result>(read: () => Result): Result {
    try {
      return read()
    } catch (cause) {
      // Another error may quote the answer, which belongs into no log.
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
