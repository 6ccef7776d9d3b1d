// Not the global `fetch`: it allows five minutes for an answer to begin, has no limit of its own for the
// wait for a connection, and does not report whether a connection was used before.
import { buildConnector, Client, errors } from 'undici'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ServerAddress } from '../../../helpers/upstream/server-address.js'
import { serverFailure } from '../../../helpers/upstream/server-failure.js'
import type { Clock } from '../../clock/clock.js'
import { ServerAnswer } from './server-answer.js'

/** How long a server may take to accept a connection. */
const CONNECT_TIMEOUT_MS = 5000

/** How long an unused connection is kept, unless the server asks for less. */
const KEEP_ALIVE_MS = 60_000

/** The maximum length of the body of an error that is read. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** A request to a server. */
export interface ServerRequest {
  readonly method: 'GET' | 'POST'
  /** Relative to the server's address, with a leading slash. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  /** Closes the connection at once when aborted, before the answer or within it. */
  readonly signal: AbortSignal
  /** Whether the body contains a JSON schema: see {@link serverFailure}. */
  readonly hasSchema?: boolean
}

/** How a {@link ModelServerClient} is reached. */
export interface ModelServerClientOptions {
  readonly address: ServerAddress
  /** Sent as a bearer token, to this server only. */
  readonly key?: string | undefined
  readonly clock: Clock
}

/**
 * A server that runs models, over HTTP. Its connections are kept open between requests. Redirects are
 * not followed and proxies not used, so that neither a prompt nor the key goes elsewhere. There is no
 * limit on how long an answer may take to begin: the request's signal ends it.
 */
export class ModelServerClient {
  /** The server's address without credentials, for messages. */
  readonly url: string
  readonly clock: Clock
  readonly #secret: string | null
  readonly #headers: Readonly<Record<string, string>>
  /** Used by no request. */
  readonly #unused: Connection[] = []
  readonly #connections = new Set<Connection>()

  /** @throws StarlingError CONFIG_INVALID if the key cannot be sent in a header */
  constructor({ address, key, clock }: ModelServerClientOptions) {
    this.url = address.url
    this.clock = clock
    this.#secret = key ?? null
    this.#headers = authorizationHeader(address, key)
  }

  /**
   * Sends a request and waits for the headers of its answer, whose status must be 200.
   *
   * @throws StarlingError ENGINE_UNREACHABLE, ENGINE_CRASHED, and the errors of
   *   {@link serverFailure} for another status; the signal's reason when it is aborted
   */
  async request(request: ServerRequest): Promise<ServerAnswer> {
    const answer = await this.#send(request)
    if (answer.status === 200) return answer
    const body = await this.#refusal(answer)
    throw serverFailure({
      url: this.url,
      status: answer.status,
      body,
      retryAfter: answer.header('retry-after'),
      nowMs: this.clock.now(),
      secret: this.#secret,
      ...(request.hasSchema !== undefined && { hasSchema: request.hasSchema }),
    })
  }

  /** Converts an error message within a stream to an error. */
  failureWithin(body: string, hasSchema: boolean): StarlingError {
    const nowMs = this.clock.now()
    return serverFailure({
      url: this.url,
      status: 200,
      body,
      nowMs,
      secret: this.#secret,
      hasSchema,
    })
  }

  /** Closes all connections. The next request opens a new one. */
  close(): void {
    for (const connection of this.#connections) connection.destroy(new Error('closed'))
    this.#connections.clear()
    this.#unused.length = 0
  }

  async #refusal(answer: ServerAnswer): Promise<string> {
    try {
      return await answer.text(MAX_REFUSAL_BYTES)
    } catch {
      // The status alone is enough for an error.
      return ''
    }
  }

  async #send(request: ServerRequest): Promise<ServerAnswer> {
    const kept = this.#unused.pop()
    try {
      return await this.#attempt(request, kept ?? this.#newConnection())
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      // The server closed an idle connection just as it was used again.
      return await this.#attempt(request, this.#newConnection())
    }
  }

  #newConnection(): Connection {
    const connection = new Connection(new URL(this.url).origin, this.clock)
    this.#connections.add(connection)
    return connection
  }

  async #attempt(
    { method, path, body, signal }: ServerRequest,
    connection: Connection,
  ): Promise<ServerAnswer> {
    const onAbort = () => connection.destroy(signal.reason)
    const leave = (isReusable: boolean) => {
      signal.removeEventListener('abort', onAbort)
      if (isReusable && this.#connections.has(connection)) this.#unused.push(connection)
      else this.#drop(connection)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      const { pathname, search } = new URL(`${this.url}${path}`)
      connection.state = 'kept'
      const response = await connection.client.request({
        method,
        path: `${pathname}${search}`,
        body: body ?? null,
        headers: {
          accept: 'application/json, application/x-ndjson, text/event-stream',
          'user-agent': 'starling',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...this.#headers,
        },
      })
      response.body.once('close', () => leave(response.body.readableEnded))
      return new ServerAnswer(response, this.url, signal)
    } catch (cause) {
      leave(false)
      if (signal.aborted) throw signal.reason
      throw this.#unanswered(cause, connection.state)
    }
  }

  #drop(connection: Connection): void {
    this.#connections.delete(connection)
    connection.destroy(new Error('closed'))
  }

  #unanswered(cause: unknown, state: Connection['state']): Error {
    if (cause instanceof errors.HTTPParserError) {
      // Without the cause, which holds what the server sent.
      const what = `The server at ${this.url} does not speak HTTP`
      return new StarlingError('ENGINE_UNREACHABLE', what)
    }
    if (state === 'kept') return new StaleConnection()
    const reason = reasonOf(cause)
    if (state === 'connecting') {
      const what = `No server answers at ${this.url} (${reason})`
      return new StarlingError('ENGINE_UNREACHABLE', what, { cause })
    }
    return new StarlingError(
      'ENGINE_CRASHED',
      `The server at ${this.url} closed the connection before it answered (${reason})`,
      { cause },
    )
  }
}

/** The server has closed a kept connection: the request is sent again on a new one. */
class StaleConnection extends Error {}

/** A connection for one request at a time. The first request opens it. */
class Connection {
  readonly client: Client
  /** `kept` from an earlier request until it has to be opened. */
  state: 'kept' | 'connecting' | 'connected' = 'kept'
  readonly #closing = new AbortController()

  constructor(origin: string, clock: Clock) {
    // The clock is ours.
    const connect = buildConnector({ timeout: 0, signal: this.#closing.signal })
    this.client = new Client(origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: (options, callback) => {
        this.state = 'connecting'
        const timer = clock.schedule(CONNECT_TIMEOUT_MS, () => {
          this.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`))
        })
        connect(options, (...result) => {
          timer.cancel()
          if (result[0] === null) this.state = 'connected'
          callback(...result)
        })
      },
    })
  }

  /** Closes the connection at once, also while it is being opened. A request on it fails with the reason. */
  destroy(reason: Error): void {
    this.client.destroy(reason).catch(() => undefined)
    this.#closing.abort(reason)
  }
}

/** The code of an error of the operating system or of TLS; otherwise the message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && !code.startsWith('UND_') ? code : error.message
}

function authorizationHeader(
  { authorization }: ServerAddress,
  key: string | undefined,
): Record<string, string> {
  if (key !== undefined && !/^[\x21-\x7e]{1,4096}$/.test(key)) {
    throw new StarlingError(
      'CONFIG_INVALID',
      'The API key is empty, or has characters that are not allowed in a header',
    )
  }
  if (key !== undefined) return { authorization: `Bearer ${key}` }
  return authorization === null ? {} : { authorization }
}
