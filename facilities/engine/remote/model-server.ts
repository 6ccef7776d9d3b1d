import * as http from 'node:http'
import * as https from 'node:https'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ServerAddress } from '../../../helpers/upstream/server-address.js'
import { serverFailure } from '../../../helpers/upstream/server-failure.js'
import type { Clock } from '../../clock/clock.js'
import { ServerAnswer } from './server-answer.js'

/** How long a server may take to accept a connection. */
const CONNECT_TIMEOUT_MS = 5000

/** Of a body that says why something was refused. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** A request to a server. */
export interface ServerRequest {
  readonly method: 'GET' | 'POST'
  /** Below the server's address, with a slash before it. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  /** Closes the connection at once when it is aborted: before the answer begins, and within it. */
  readonly signal: AbortSignal
  /** Whether the body holds a JSON schema, see {@link serverFailure}. */
  readonly hasSchema?: boolean
}

/** How a {@link ModelServer} is reached. */
export interface ModelServerOptions {
  readonly address: ServerAddress
  /** Sent as a bearer token, to this server alone. */
  readonly key?: string | undefined
  readonly clock: Clock
}

/**
 * A server that runs models, over HTTP. Its connections are kept open between requests. Redirects
 * are not followed, so that neither a prompt nor the key goes elsewhere. There is no limit on how
 * long an answer may take to begin: the request's signal ends it. (`fetch` would give up after five
 * minutes, and does not let the wait for a connection be set.)
 */
export class ModelServer {
  /** The server's address without credentials, for messages. */
  readonly url: string
  readonly clock: Clock
  readonly #secret: string | null
  readonly #headers: Readonly<Record<string, string>>
  readonly #transport: typeof http | typeof https
  readonly #agent: http.Agent

  /** @throws StarlingError CONFIG_INVALID when the key cannot be sent */
  constructor({ address, key, clock }: ModelServerOptions) {
    this.url = address.url
    this.clock = clock
    this.#secret = key ?? null
    this.#headers = authorizationHeader(address, key)
    this.#transport = address.url.startsWith('https:') ? https : http
    this.#agent = new this.#transport.Agent({ keepAlive: true })
  }

  /**
   * Sends a request and waits for the head of its answer, which must be HTTP 200.
   *
   * @throws StarlingError ENGINE_UNREACHABLE, ENGINE_CRASHED, and what {@link serverFailure} makes
   *   of another status; the signal's reason when it is aborted
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

  /** What the server says within an answer that began well, as the error that it is. */
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

  /** Closes all connections. The next request opens others. */
  close(): void {
    this.#agent.destroy()
  }

  async #refusal(answer: ServerAnswer): Promise<string> {
    try {
      return await answer.text(MAX_REFUSAL_BYTES)
    } catch {
      // Why it refuses is not worth more than that it does.
      return ''
    }
  }

  async #send(request: ServerRequest): Promise<ServerAnswer> {
    try {
      return await this.#attempt(request, this.#agent)
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error
      // The server closed an idle connection in the moment that it was used again.
      return await this.#attempt(request, false)
    }
  }

  #attempt(
    { method, path, body, signal }: ServerRequest,
    agent: http.Agent | false,
  ): Promise<ServerAnswer> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const sent = this.#transport.request(`${this.url}${path}`, {
        method,
        agent,
        signal,
        headers: {
          accept: 'application/json, application/x-ndjson, text/event-stream',
          'user-agent': 'starling',
          ...(body !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(body)),
          }),
          ...this.#headers,
        },
      })
      let isConnected = false
      const connecting = this.clock.schedule(CONNECT_TIMEOUT_MS, () => {
        sent.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`))
      })
      const onConnected = () => {
        isConnected = true
        connecting.cancel()
      }
      sent.once('socket', (socket) => {
        if (sent.reusedSocket) onConnected()
        else socket.once(this.#transport === https ? 'secureConnect' : 'connect', onConnected)
      })
      sent.once('response', (message) => resolve(new ServerAnswer(message, this.url, signal)))
      sent.on('error', (cause) => {
        connecting.cancel()
        reject(signal.aborted ? signal.reason : this.#unanswered(cause, isConnected, sent))
      })
      sent.end(body)
    })
  }

  #unanswered(cause: Error, isConnected: boolean, sent: http.ClientRequest): Error {
    const code = 'code' in cause ? String(cause.code) : cause.message
    if (sent.reusedSocket && !code.startsWith('HPE_')) return new StaleConnection()
    if (!isConnected) {
      return new StarlingError('ENGINE_UNREACHABLE', `No server answers at ${this.url} (${code})`, {
        cause,
      })
    }
    if (code.startsWith('HPE_')) {
      return new StarlingError(
        'ENGINE_UNREACHABLE',
        `What listens at ${this.url} does not speak HTTP (${code})`,
        { cause },
      )
    }
    return new StarlingError(
      'ENGINE_CRASHED',
      `The server at ${this.url} closed the connection before it answered (${code})`,
      { cause },
    )
  }
}

/** A connection that was kept open is closed: another one is worth a try. */
class StaleConnection extends Error {}

function authorizationHeader(
  { authorization }: ServerAddress,
  key: string | undefined,
): Record<string, string> {
  if (key !== undefined && !/^[\x21-\x7e]{1,4096}$/.test(key)) {
    throw new StarlingError(
      'CONFIG_INVALID',
      'The API key is empty, or has characters that no header can hold',
    )
  }
  if (key !== undefined) return { authorization: `Bearer ${key}` }
  return authorization === null ? {} : { authorization }
}
