import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Test } from 'brittle'
import { Cleanup } from '../cleanup.js'

const ETAG = '"one"'

/** What a server serves under every path, and how it fails. */
export interface ServedModel {
  content: Uint8Array
  /** Closes the connection after so many bytes of an answer. */
  breaksAfter: number
  /** Stalls after so many bytes of an answer. */
  stallsAfter: number
  /** Answers with this status and no body. */
  status: number
  /** Redirects to this address first. */
  redirectTo: string | null
  /** Headers of every answer. */
  headers: Record<string, string>
}

/** A request as it was received. */
export interface SeenRequest {
  readonly path: string
  /** The position of the first requested byte. */
  readonly start: number
  readonly headers: IncomingMessage['headers']
}

/** An HTTP server on 127.0.0.1 that serves one file, and fails when a test sets that. */
export class ModelServerClient {
  readonly requests: SeenRequest[] = []
  readonly #server: Server
  #model: ServedModel

  private constructor(content: Uint8Array) {
    this.#model = {
      content,
      breaksAfter: Infinity,
      stallsAfter: Infinity,
      status: 200,
      redirectTo: null,
      headers: {},
    }
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  /** Closed when the test ends. */
  static async start(t: Test, content: Uint8Array): Promise<ModelServerClient> {
    const model = new ModelServerClient(content)
    const server = model.#server
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    new Cleanup(t).add(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    return model
  }

  /** `http://127.0.0.1:41234` */
  get origin(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('It listens on no port')
    return `http://127.0.0.1:${address.port}`
  }

  /** Replaces the behaviour from now on. */
  set(change: Partial<ServedModel>): void {
    this.#model = { ...this.#model, ...change }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const model = this.#model
    const { content, headers } = model
    const asked = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    this.requests.push({ path: request.url ?? '', start: asked, headers: request.headers })
    const common = { ...headers, etag: ETAG }
    if (model.redirectTo !== null && request.url !== new URL(model.redirectTo).pathname) {
      response.writeHead(302, { ...common, location: model.redirectTo }).end('moved')
      return
    }
    if (model.status !== 200) {
      response.writeHead(model.status, common).end('no')
      return
    }
    const condition = request.headers['if-range']
    const isPart = asked > 0 && (condition === undefined || condition === ETAG)
    const start = isPart ? asked : 0
    const total = content.length
    response.writeHead(isPart ? 206 : 200, {
      ...common,
      'content-length': total - start,
      ...(isPart ? { 'content-range': `bytes ${start}-${total - 1}/${total}` } : {}),
    })
    this.#send(response, content.subarray(start))
  }

  #send(response: ServerResponse, bytes: Uint8Array): void {
    const { breaksAfter, stallsAfter } = this.#model
    const end = Math.min(breaksAfter, stallsAfter, bytes.length)
    response.write(bytes.subarray(0, end), () => {
      if (end === stallsAfter) return
      if (end === breaksAfter) response.destroy()
      else response.end()
    })
  }
}
