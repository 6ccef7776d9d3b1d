import ReadyResource from 'ready-resource'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock } from '../clock/clock.js'
import { EventLoopDelay } from '../clock/event-loop-delay.js'
import { HttpServer } from '../http/http-server.js'
import type { Log } from '../log/log.js'
import type { MeshNetwork } from '../network/mesh-network.js'
import { RequestCounts } from '../network/watch/request-counts.js'
import { createOperationsApp } from './operations-app.js'
import { answerAboutWorker } from './worker-answers.js'
import {
  type HealthProblem,
  type Readiness,
  readinessOf,
  type WatchedWorker,
} from './worker-health.js'
import { WorkerMetrics } from './worker-metrics.js'

const LEAVING: HealthProblem = { code: 'DRAINING', message: 'The worker is leaving', blocks: true }

const NOT_JOINED: HealthProblem = {
  code: 'PEER_UNREACHABLE',
  message: 'The worker has not joined the mesh yet',
  blocks: true,
}

/** Where a worker says by HTTP how it is. Comes from the configuration. */
export interface MetricsSettings {
  /** 0: nowhere. */
  readonly port: number
  /** The address to listen on. */
  readonly host: string
}

/** What a {@link WorkerWatch} is made of. */
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
 * Lets others see how a worker is: answers ping, info and stats in the mesh, and, where a port is
 * given, /healthz, /readyz and /metrics by HTTP. To be made before the network is made ready, and
 * opened before it: then the worker can be seen while it starts and while it leaves.
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

  /** Whether work may be sent to the worker, and why not. */
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
    // A worker that stops loses all its peers, which need not be reported.
    if (this.#network.closing !== null) return [LEAVING]
    const own = this.#worker.problems()
    return this.#network.opened ? [...this.#undiscoverable(), ...own] : [NOT_JOINED, ...own]
  }

  #undiscoverable(): readonly HealthProblem[] {
    const { discoveryFailure, connectionCounts } = this.#network
    if (discoveryFailure === null) return []
    const { code, message } = discoveryFailure
    // Those who are connected already can go on.
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
    const metrics = new WorkerMetrics({
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
      onInternalError: (err) => log.error({ err }, 'a question by HTTP failed'),
    })
    return new HttpServer(app, settings)
  }
}
