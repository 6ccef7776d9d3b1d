import type { Fetch } from '../../../facilities/models/fetch/remote-file.js'

/** One request as a server receives it. */
export interface SeenRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** How a server answers a request. */
export type Answering = (request: SeenRequest) => Response | Promise<Response>

/** A `fetch` without a network: a test sets the answers; the last one repeats. */
export class ScriptedFetch {
  readonly requests: SeenRequest[] = []
  readonly #answers: Answering[]

  constructor(...answers: Answering[]) {
    this.#answers = answers
  }

  readonly fetch: Fetch = async (url, { headers }) => {
    const request = { url, headers }
    this.requests.push(request)
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]
    if (answer === undefined) throw new Error('fetch failed')
    return await answer(request)
  }
}

/** A file on a server, and how serving it fails. */
export interface ServedFile {
  readonly content: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** The connection closes after so many bytes of an answer. */
  readonly breaksAfter?: number
  /** The server stalls after so many bytes of an answer. */
  readonly stallsAfter?: number
  /** Always sends the whole file. */
  readonly ignoresRange?: boolean
  /** Sends no Content-Length. */
  readonly hidesLength?: boolean
}

const PIECE_BYTES = 4000

/** Serves a file as an HTTP server does, including conditional range requests. */
export function serving(file: ServedFile): Answering {
  return ({ headers }) => {
    const { content } = file
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    const condition = headers['if-range']
    const validators = [file.headers?.etag, file.headers?.['last-modified']]
    const isSame = condition === undefined || validators.includes(condition)
    if (from === 0 || file.ignoresRange === true || !isSame) {
      const length = file.hidesLength ? {} : { 'content-length': String(content.length) }
      return new Response(body(content, file), { headers: { ...length, ...file.headers } })
    }
    if (from >= content.length) {
      const range = { 'content-range': `bytes */${content.length}` }
      return new Response(null, { status: 416, headers: { ...range, ...file.headers } })
    }
    const range = `bytes ${from}-${content.length - 1}/${content.length}`
    return new Response(body(content.subarray(from), file), {
      status: 206,
      headers: { 'content-range': range, ...file.headers },
    })
  }
}

/** Answers with a status and nothing else. */
export function status(code: number, headers: Record<string, string> = {}): Answering {
  return () => new Response(null, { status: code, headers })
}

/** Redirects, with further headers. */
export function redirect(location: string, headers: Record<string, string> = {}): Answering {
  return status(302, { location, ...headers })
}

/** Fails to connect. */
export const unreachable: Answering = () => {
  throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 192.0.2.1:443') })
}

function body(bytes: Uint8Array, file: ServedFile): ReadableStream<Uint8Array> {
  const { breaksAfter = Infinity, stallsAfter = Infinity } = file
  const end = Math.min(bytes.length, breaksAfter, stallsAfter)
  let offset = 0
  return new ReadableStream({
    pull(controller) {
      if (offset < end) {
        const piece = bytes.slice(offset, Math.min(offset + PIECE_BYTES, end))
        offset += piece.length
        controller.enqueue(piece)
        return undefined
      }
      if (end === bytes.length) return controller.close()
      if (end === breaksAfter) {
        return controller.error(
          new TypeError('terminated', { cause: new Error('other side closed') }),
        )
      }
      // A stalled server never answers.
      return new Promise(() => undefined)
    },
  })
}
