import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { NetworkObserver } from '../network/watch/network-observer.js'
import type { EndedRequest } from '../network/watch/request-observer.js'
import type { WorkerMetric } from './worker-health.js'

/** From a ping to an answer that takes several minutes. */
const DURATION_BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600,
]

/** The sources of a worker's metrics. */
export interface MetricSources {
  readonly role: Role
  readonly version: string
  readonly isReady: () => boolean
  readonly connectionCounts: () => { readonly proved: number; readonly unverified: number }
  /** Connected workers by role. */
  readonly peerCounts: () => ReadonlyMap<Role, number>
  /** Calls and streams in progress. */
  readonly underWay: () => { readonly calls: number; readonly streams: number }
  readonly metrics: readonly WorkerMetric[]
}

/**
 * The metrics of a worker for Prometheus. Labels have few values, all of them from fixed tables: method names,
 * error codes, roles. They never contain a user, a key, a request or a prompt: a label with 10,000 values
 * makes each scrape take longer than 150 ms, and labels are kept forever.
 */
export class PrometheusMetrics implements NetworkObserver {
  readonly #registry = new Registry()
  readonly #registers = [this.#registry]
  readonly #calls = new Counter({
    name: 'starling_calls_total',
    help: 'Calls and streams answered, by method and by how they ended: OK or an error code',
    labelNames: ['method', 'code'],
    registers: this.#registers,
  })
  readonly #durations = new Histogram({
    name: 'starling_call_duration_seconds',
    help: 'From the arrival of a call or stream to its end',
    labelNames: ['method'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: this.#registers,
  })
  readonly #tokens = new Counter({
    name: 'starling_stream_tokens_total',
    help: 'Chunks of the streams that have ended: one chunk of an answer is one token',
    labelNames: ['method'],
    registers: this.#registers,
  })
  readonly #firstTokens = new Histogram({
    name: 'starling_first_token_seconds',
    help: 'From the arrival of a stream to its first chunk',
    labelNames: ['method'],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: this.#registers,
  })
  readonly #lostPeers = new Counter({
    name: 'starling_peers_lost_total',
    help: 'Connections to other workers that ended, by role',
    labelNames: ['role'],
    registers: this.#registers,
  })
  readonly #refused = new Counter({
    name: 'starling_connections_refused_total',
    help: 'Connections that were refused, by error code',
    labelNames: ['code'],
    registers: this.#registers,
  })

  constructor(sources: MetricSources) {
    collectDefaultMetrics({ register: this.#registry })
    this.#describe(sources)
    this.#follow(sources)
    for (const metric of sources.metrics) this.#addMetric(sources.role, metric)
  }

  onRequestEnded({ method, code, durationMs, chunks, firstChunkMs }: EndedRequest): void {
    this.#calls.inc({ method, code })
    this.#durations.observe({ method }, durationMs / 1000)
    if (firstChunkMs === undefined) return
    this.#tokens.inc({ method }, chunks)
    this.#firstTokens.observe({ method }, firstChunkMs / 1000)
  }

  onPeerLost(role: Role): void {
    this.#lostPeers.inc({ role })
  }

  onRefused(error: unknown): void {
    this.#refused.inc({ code: isStarlingError(error) ? error.code : 'INTERNAL' })
  }

  /** All metrics in the text format of Prometheus. */
  async read(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #describe({ role, version, isReady }: MetricSources): void {
    new Gauge({
      name: 'starling_worker_info',
      help: 'Always 1; the labels describe the worker',
      labelNames: ['role', 'version'],
      registers: this.#registers,
    }).set({ role, version }, 1)
    this.#gauge('starling_ready', 'Whether work may be sent to the worker: 1 or 0', () =>
      Number(isReady()),
    )
  }

  #follow({ connectionCounts, peerCounts, underWay }: MetricSources): void {
    this.#gauge('starling_calls_open', 'Unary calls in progress', () => underWay().calls)
    this.#gauge('starling_streams_open', 'Streams in progress', () => underWay().streams)
    new Gauge({
      name: 'starling_connections',
      help: 'Connections that others opened: proved, or still unverified',
      labelNames: ['state'],
      registers: this.#registers,
      collect() {
        const { proved, unverified } = connectionCounts()
        this.set({ state: 'proved' }, proved)
        this.set({ state: 'unverified' }, unverified)
      },
    })
    new Gauge({
      name: 'starling_peers',
      help: 'Workers of other roles that are connected, by role',
      labelNames: ['role'],
      registers: this.#registers,
      collect() {
        for (const [role, count] of peerCounts()) this.set({ role }, count)
      },
    })
  }

  #addMetric(role: Role, { name, help, kind, value }: WorkerMetric): void {
    const snakeCase = `starling_${role}_${name.replace(/[A-Z]/g, (letter) => `_${letter}`)}`
    if (kind === 'gauge') {
      this.#gauge(snakeCase.toLowerCase(), help, value)
      return
    }
    new Counter({
      name: `${snakeCase.toLowerCase()}_total`,
      help,
      registers: this.#registers,
      collect() {
        this.reset()
        this.inc(value())
      },
    })
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.set(value())
      },
    })
  }
}
