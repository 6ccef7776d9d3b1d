import type { FastifyInstance } from 'fastify'
import ReadyResource from 'ready-resource'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Why a port could not be bound, for people. */
const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is used by another program',
  EACCES: 'may not be used by this user',
  EADDRNOTAVAIL: 'cannot be used: this machine does not have this address',
}

/** Serves an HTTP app on a port of this machine. */
export class HttpServer extends ReadyResource {
  readonly #app: FastifyInstance
  readonly #host: string
  readonly #port: number

  /** @param options.host the address to listen on; 127.0.0.1 is reachable from this machine only */
  constructor(app: FastifyInstance, options: { host: string; port: number }) {
    super()
    this.#app = app
    this.#host = options.host
    this.#port = options.port
  }

  /** @throws StarlingError PORT_UNAVAILABLE */
  protected override async _open(): Promise<void> {
    try {
      await this.#app.listen({ host: this.#host, port: this.#port })
    } catch (cause) {
      const { code, message } = Object(cause) as { code?: string; message?: string }
      throw new StarlingError(
        'PORT_UNAVAILABLE',
        `TCP port ${this.#port} on ${this.#host} ${CAUSES[code ?? ''] ?? `cannot be used: ${message}`}`,
        { cause },
      )
    }
  }

  protected override async _close(): Promise<void> {
    await this.#app.close()
  }
}
