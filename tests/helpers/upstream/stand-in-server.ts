import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Engine } from '../../../facilities/engine/engine.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import type { Scope } from '../scope.js'

/** One request as it was received. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** The body as JSON; null when there is none. */
  readonly body: unknown
}

/** Answers one request. */
export type Misbehaviour = (request: SeenRequest, response: ServerResponse) => void

/** Answers one kind of request. */
export type Route = (request: SeenRequest, exchange: Exchange) => Promise<void>

/**
 * A model server over HTTP on 127.0.0.1, for tests: what it answers comes from engines. It reads
 * and writes as real ones do: it waits for slow readers, and stops generating when its client disconnects.
 */
export class StandInServer {
  /** `http://127.0.0.1:…` */
  readonly url: string
  /** All requests so far. */
  readonly requests: SeenRequest[] = []
  /** Replaces all routes while it is set. */
  misbehaviour: Misbehaviour | null = null
  readonly #server: Server
  #running = 0

  private constructor(server: Server, routes: ReadonlyMap<string, Route>, other: Route) {
    this.#server = server
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens on no port')
    this.url = `http://127.0.0.1:${address.port}`
    server.on('request', (message, response) => void this.#serve(message, response, routes, other))
  }

  /**
   * @param routes by method and path: `POST /api/chat`
   * @param other answers everything else
   */
  static async start(
    scope: Scope,
    routes: Readonly<Record<string, Route>>,
    other: Route,
  ): Promise<StandInServer> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const standIn = new StandInServer(server, new Map(Object.entries(routes)), other)
    scope.teardown(async () => await standIn.close())
    return standIn
  }

  /** Requests that are being answered. */
  get running(): number {
    return this.#running
  }

  /** Open connections, in use or not. */
  async connections(): Promise<number> {
    return await new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  /** Closes all connections and accepts no more. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(
    message: IncomingMessage,
    response: ServerResponse,
    routes: ReadonlyMap<string, Route>,
    other: Route,
  ): Promise<void> {
    this.#running += 1
    try {
      const pieces: Buffer[] = []
      for await (const piece of message) pieces.push(piece)
      const text = Buffer.concat(pieces).toString()
      const request: SeenRequest = {
        method: message.method ?? '',
        path: message.url ?? '',
        headers: message.headers,
        body: text === '' ? null : JSON.parse(text),
      }
      this.requests.push(request)
      if (this.misbehaviour !== null) return this.misbehaviour(request, response)
      const route = routes.get(`${request.method} ${request.path}`) ?? other
      await route(request, new Exchange(response))
    } catch {
      // The client disconnected during the request or the answer.
      response.destroy()
    } finally {
      this.#running -= 1
    }
  }
}

/** The answer to one request, being written. */
export class Exchange {
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    const leaving = new AbortController()
    this.#response = response
    this.signal = leaving.signal
    response.once('close', () => {
      if (!response.writableFinished) leaving.abort(new Error('the client left'))
    })
  }

  /** Whether a part of the answer was sent. */
  get hasBegun(): boolean {
    return this.#response.headersSent
  }

  json(status: number, body: unknown): void {
    this.#response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    this.#response.end(JSON.stringify(body))
  }

  text(status: number, body: string): void {
    this.#response.writeHead(status, { 'content-type': 'text/plain' })
    this.#response.end(body)
  }

  /** Sends a part of a stream, and waits until the client has room for more. */
  async write(contentType: string, text: string): Promise<void> {
    if (!this.#response.headersSent) this.#response.writeHead(200, { 'content-type': contentType })
    if (this.#response.write(text)) return
    await once(this.#response, 'drain', { signal: this.signal })
  }

  end(): void {
    this.#response.end()
  }

  /**
   * Passes on each token that has text as it is generated.
   *
   * @returns how the answer ended, and its text without the thought
   */
  async relay(
    generation: AsyncGenerator<Token, GenerationEnd, void>,
    onToken: (token: Token) => Promise<void>,
  ): Promise<{ end: GenerationEnd; text: string }> {
    let text = ''
    try {
      for (;;) {
        const step = await generation.next()
        if (step.done) return { end: step.value, text }
        if (step.value.kind === undefined) text += step.value.text
        await onToken(step.value)
      }
    } catch (error) {
      // Frees what the generation holds when something else failed.
      await generation.throw(error).catch(() => undefined)
      throw error
    }
  }
}

/** How a kind of server reports errors. */
interface Refusals {
  readonly refuse: (exchange: Exchange, status: number, message: string) => void
  readonly fail: (error: unknown, exchange: Exchange) => Promise<void>
  /** The message when it does not have a model. */
  readonly missing: (model: string) => string
}

/** Makes routes that answer with the engine whose name stands in a request. */
export function modelRoutes(
  engines: Readonly<Record<string, Engine>>,
  { refuse, fail, missing }: Refusals,
) {
  return <Schema extends z.ZodType<{ model: string }>>(
    schema: Schema,
    answer: (body: z.infer<Schema>, engine: Engine, exchange: Exchange) => Promise<void>,
  ): Route =>
    async (request, exchange) => {
      const body = schema.safeParse(request.body)
      if (!body.success) return refuse(exchange, 400, z.prettifyError(body.error))
      const { model } = body.data
      const engine = Object.hasOwn(engines, model) ? engines[model] : undefined
      if (engine === undefined) return refuse(exchange, 404, missing(model))
      try {
        await answer(body.data, engine, exchange)
      } catch (error) {
        if (!exchange.signal.aborted) await fail(error, exchange)
      }
    }
}
