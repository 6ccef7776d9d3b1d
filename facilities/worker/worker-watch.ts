import type { FastifyInstance } from 'fastify'
import ReadyResource from 'ready-resource'
import { publicMessage } from '../../helpers/errors/peer-error.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { type WorkerStats, workerProtocol } from '../../helpers/protocol/worker-protocol.js'
import type { Clock } from '../clock/clock.js'
import { EventLoopDelay } from '../clock/event-loop-delay.js'
import { createHttpApp, pathOf } from '../http/http-app.js'
import { HttpServer } from '../http/http-server.js'
import type { Log } from '../log/log.js'
import type { Service } from '../network/calls/service.js'
import type { MeshNetwork } from '../network/mesh-network.js'
import { RequestCounts } from '../network/watch/request-counts.js'
import { PrometheusMetrics } from './prometheus-metrics.js'
import {
  type HealthProblem,
  type Readiness,
  readinessOf,
  type WatchedWorker,
} from './worker-health.js'

const LEAVING: HealthProblem = {
  code: 'DRAINING',
  message: 'The worker is shutting down',
  blocks: true,
}

const NOT_JOINED: HealthProblem = {
  code: 'PEER_UNREACHABLE',
  message: 'The worker has not joined the mesh yet',
  blocks: true,
}

/** Where health and metrics are served by HTTP. Comes from the configuration. */
export interface MetricsSettings {
  /** 0: not served. */
  readonly port: number
  /** The address to listen on. */
  readonly host: string
}

/** The parts of a {@link WorkerWatch}. */
export interface WorkerWatchOptions {
  readonly role: Role
  readonly identity: { readonly name: string }
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  readonly network: MeshNetwork
  readonly worker: WatchedWorker
  readonly metrics: MetricsSettings
}

/**
 * Makes a worker observable: answers ping, info and stats in the mesh, and serves /healthz, /readyz and /metrics
 * by HTTP if a port is set. Create and open it before the network is opened, so that the worker is observable
 * while it starts and shuts down.
 */
export class WorkerWatch extends ReadyResource {
  readonly #network: MeshNetwork
  readonly #worker: WatchedWorker
  readonly #delay: EventLoopDelay
  readonly #server: HttpServer | null

  constructor(options: WorkerWatchOptions) {
    super()
    const { network, worker, metrics: settings } = options
    const counts = new RequestCounts()
    this.#network = network
    this.#worker = worker
    this.#delay = new EventLoopDelay(options.clock)
    network.observe(counts)
    answerAboutWorker(network.service, {
      ...options,
      problems: () => this.#problems(),
      stats: () => this.#stats(counts),
    })
    this.#server = settings.port === 0 ? null : this.#createServer(options, counts)
  }

  /** Whether requests may be sent to the worker, and why not. */
  readiness(): Readiness {
    return readinessOf(this.#problems())
  }

  /** @throws StarlingError PORT_UNAVAILABLE */
  protected override async _open(): Promise<void> {
    await this.#server?.ready()
  }

  protected override async _close(): Promise<void> {
    this.#delay.stop()
    await this.#server?.close()
  }

  #problems(): readonly HealthProblem[] {
    // A worker that shuts down loses all its peers, which is not a problem.
    if (this.#network.closing !== null) return [LEAVING]
    const own = this.#worker.problems()
    return this.#network.opened ? [...this.#undiscoverable(), ...own] : [NOT_JOINED, ...own]
  }

  #undiscoverable(): readonly HealthProblem[] {
    const { discoveryFailure, connectionCounts } = this.#network
    if (discoveryFailure === null) return []
    const { code, message } = discoveryFailure
    // Peers that are already connected can still send requests.
    return [{ code, message, blocks: connectionCounts.proved === 0 }]
  }

  #stats(counts: RequestCounts) {
    const { calls, streams, failures } = counts
    return {
      calls,
      streams,
      failures,
      connections: this.#network.connectionCounts,
      rssBytes: process.memoryUsage.rss(),
      eventLoopDelayP99Ms: this.#delay.p99Ms(),
      metrics: Object.fromEntries(this.#worker.metrics.map(({ name, value }) => [name, value()])),
    }
  }

  #createServer(
    { role, version, network, worker, log, metrics: settings }: WorkerWatchOptions,
    counts: RequestCounts,
  ): HttpServer {
    const metrics = new PrometheusMetrics({
      role,
      version,
      isReady: () => this.readiness().ready,
      connectionCounts: () => network.connectionCounts,
      peerCounts: () => network.peerCounts,
      underWay: () => ({ calls: counts.calls.underWay, streams: counts.streams.underWay }),
      metrics: worker.metrics,
    })
    network.observe(metrics)
    const app = createOperationsApp({
      readiness: () => this.readiness(),
      metrics: () => metrics.read(),
      onInternalError: (err) => log.error({ err }, 'an HTTP request failed'),
    })
    return new HttpServer(app, settings)
  }
}

/** What an operations app serves. */
export interface OperationsAppOptions {
  readonly readiness: () => Readiness
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  readonly onInternalError: (error: unknown) => void
}

/**
 * The HTTP app for operators and their tools:
 *
 * - `/healthz`: 200, the process is up
 * - `/readyz`: 200 if requests may be sent to the worker, else 503; both with a {@link Readiness}
 * - `/metrics`: metrics in the text format of Prometheus
 */
export function createOperationsApp(options: OperationsAppOptions): FastifyInstance {
  const app = createHttpApp(options)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    // Refused before the body is read.
    if (!request.is404 || !app.hasRoute({ method: 'GET', url: pathOf(request) })) return
    reply.header('allow', 'GET, HEAD')
    throw new StarlingError('METHOD_NOT_ALLOWED', `${request.method} is not allowed for this path`)
  })
  app.get('/healthz', async () => ({ status: 'up' }))
  app.get('/readyz', async (_request, reply) => {
    const readiness = options.readiness()
    return reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await options.metrics()
    return reply.type(contentType).send(text)
  })
  return app
}

/**
 * Answers the calls of all roles: ping, info (with the problems of the worker) and stats.
 *
 * @param options.problems called for each request
 * @param options.stats called for each request
 */
export function answerAboutWorker(
  service: Service,
  options: {
    role: Role
    identity: { readonly name: string }
    clock: Clock
    version: string
    problems: () => readonly HealthProblem[]
    stats: () => Omit<WorkerStats, 'uptimeMs'>
  },
): void {
  const { role, identity, clock, version, problems, stats } = options
  const startedAt = clock.monotonic()
  const uptimeMs = () => clock.monotonic() - startedAt
  service
    .unary(workerProtocol.ping, async () => ({}))
    .unary(workerProtocol.info, async () => ({
      role,
      name: identity.name,
      version,
      uptimeMs: uptimeMs(),
      ...publicly(problems()),
    }))
    .unary(workerProtocol.stats, async () => ({ uptimeMs: uptimeMs(), ...stats() }))
}

/** Empty if there are none. */
function publicly(problems: readonly HealthProblem[]): { problems?: HealthProblem[] } {
  if (problems.length === 0) return {}
  return {
    problems: problems.map(({ code, message, blocks }) => ({
      code,
      message: publicMessage(code, message),
      blocks,
    })),
  }
}
