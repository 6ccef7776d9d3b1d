import { StarlingError } from '../errors/starling-error.js'
import { TextLines } from '../text/text-lines.js'

/** One event of a stream. */
export interface ServerSentEvent {
  /** `message` unless the server says otherwise. */
  readonly type: string
  readonly data: string
}

/**
 * Parses server-sent events from bytes that arrive in pieces, however they are cut. Fields for
 * reconnecting browsers (`id`, `retry`) are ignored, and so is an event that is incomplete at the end
 * of the stream.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class ServerSentEvents {
  readonly #maxEventCharacters: number
  readonly #lines: TextLines
  #type = ''
  #data: string[] = []
  #dataCharacters = 0

  /** @param maxEventCharacters UTF-16 code units in the data of one event, and in one line */
  constructor(maxEventCharacters: number) {
    this.#maxEventCharacters = maxEventCharacters
    this.#lines = new TextLines(maxEventCharacters)
  }

  /**
   * The events that these bytes complete.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE as soon as an event is too long
   */
  push(bytes: Uint8Array): ServerSentEvent[] {
    const events: ServerSentEvent[] = []
    for (const line of this.#lines.push(bytes)) {
      if (line !== '') {
        this.#take(line)
        continue
      }
      if (this.#data.length > 0) {
        events.push({ type: this.#type || 'message', data: this.#data.join('\n') })
      }
      this.#type = ''
      this.#data = []
      this.#dataCharacters = 0
    }
    return events
  }

  #take(line: string): void {
    const colon = line.indexOf(':')
    const name = colon === -1 ? line : line.slice(0, colon)
    const rest = colon === -1 ? '' : line.slice(colon + 1)
    const value = rest.startsWith(' ') ? rest.slice(1) : rest
    if (name === 'event') this.#type = value
    if (name !== 'data') return
    this.#data.push(value)
    this.#dataCharacters += value.length + 1
    if (this.#dataCharacters > this.#maxEventCharacters) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `An event has more than ${this.#maxEventCharacters} characters`,
      )
    }
  }
}
