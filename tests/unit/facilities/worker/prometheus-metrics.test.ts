import test from 'brittle'
import type { EndedRequest } from '../../../../facilities/network/watch/request-observer.js'
import { PrometheusMetrics } from '../../../../facilities/worker/prometheus-metrics.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import type { Role } from '../../../../helpers/identity/roles.js'

const ANSWER: EndedRequest = {
  kind: 'stream',
  method: 'processor.generate',
  isPoll: false,
  code: 'OK',
  durationMs: 200,
  requestId: 'req_secret',
  peer: 'gateway@here',
  chunks: 40,
  firstChunkMs: 20,
}

/** A processor's metrics, and what they are read from. */
function scene() {
  const now = { ready: false, queue: 3, restarts: 2, streams: 1 }
  const peers = new Map<Role, number>([['auth', 1]])
  const metrics = new PrometheusMetrics({
    role: 'processor',
    version: '1.2.3',
    isReady: () => now.ready,
    connectionCounts: () => ({ proved: 2, unverified: 1 }),
    peerCounts: () => peers,
    underWay: () => ({ calls: 5, streams: now.streams }),
    metrics: [
      { name: 'queueLength', help: 'Waiting', kind: 'gauge', value: () => now.queue },
      { name: 'engineRestarts', help: 'Restarts', kind: 'counter', value: () => now.restarts },
    ],
  })
  return { metrics, now, peers }
}

/** The samples of our own metrics and what comes with every process, as they are scraped. */
async function read(metrics: PrometheusMetrics) {
  const { text, contentType } = await metrics.read()
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const sample = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line)
    if (sample) samples.set(sample[1] ?? '', Number(sample[2]))
  }
  return { text, contentType, samples }
}

test('should count requests by method and by how they ended', async (t) => {
  const { metrics } = scene()
  metrics.onRequestEnded(ANSWER)
  metrics.onRequestEnded(ANSWER)
  metrics.onRequestEnded({ ...ANSWER, code: 'CANCELLED', chunks: 0, firstChunkMs: undefined })
  const { samples, contentType } = await read(metrics)
  t.ok(contentType.startsWith('text/plain'))
  const of = 'method="processor.generate"'
  t.is(samples.get(`starling_calls_total{${of},code="OK"}`), 2)
  t.is(samples.get(`starling_calls_total{${of},code="CANCELLED"}`), 1)
  t.is(samples.get(`starling_call_duration_seconds_count{${of}}`), 3)
  t.is(samples.get(`starling_call_duration_seconds_bucket{le="0.25",${of}}`), 3)
  t.is(samples.get(`starling_call_duration_seconds_bucket{le="0.1",${of}}`), 0)
  t.is(samples.get(`starling_stream_tokens_total{${of}}`), 80)
  t.is(samples.get(`starling_first_token_seconds_count{${of}}`), 2)
  t.is(samples.get(`starling_first_token_seconds_sum{${of}}`), 0.04)
})

test('should say how the worker is at the moment of the scrape', async (t) => {
  const { metrics, now, peers } = scene()
  const first = await read(metrics)
  t.is(first.samples.get('starling_ready'), 0)
  t.is(first.samples.get('starling_worker_info{role="processor",version="1.2.3"}'), 1)
  t.is(first.samples.get('starling_calls_open'), 5)
  t.is(first.samples.get('starling_streams_open'), 1)
  t.is(first.samples.get('starling_connections{state="proved"}'), 2)
  t.is(first.samples.get('starling_connections{state="unverified"}'), 1)
  t.is(first.samples.get('starling_peers{role="auth"}'), 1)
  t.is(first.samples.get('starling_processor_queue_length'), 3)
  t.is(first.samples.get('starling_processor_engine_restarts_total'), 2)
  now.ready = true
  now.queue = 0
  now.restarts = 3
  peers.set('auth', 0)
  const { samples } = await read(metrics)
  t.is(samples.get('starling_ready'), 1)
  t.is(samples.get('starling_processor_queue_length'), 0)
  t.is(samples.get('starling_processor_engine_restarts_total'), 3)
  t.is(samples.get('starling_peers{role="auth"}'), 0)
})

test('should count who is lost and who is refused', async (t) => {
  const { metrics } = scene()
  metrics.onPeerLost('auth')
  metrics.onPeerLost('auth')
  metrics.onRefused(new StarlingError('CERTIFICATE_INVALID', 'another mesh'))
  metrics.onRefused(new StarlingError('CERTIFICATE_INVALID', 'another mesh'))
  metrics.onRefused(new Error('a bug'))
  const { samples } = await read(metrics)
  t.is(samples.get('starling_peers_lost_total{role="auth"}'), 2)
  t.is(samples.get('starling_connections_refused_total{code="CERTIFICATE_INVALID"}'), 2)
  t.is(samples.get('starling_connections_refused_total{code="INTERNAL"}'), 1)
})

test('should say what the process costs, too', async (t) => {
  const { samples } = await read(scene().metrics)
  t.ok(samples.has('process_resident_memory_bytes'))
  t.ok(samples.has('nodejs_eventloop_lag_seconds'))
})

test('should contain no user and no request, whatever is answered', async (t) => {
  const { metrics } = scene()
  metrics.onRequestEnded(ANSWER)
  const before = await read(metrics)
  for (let number = 0; number < 1_000; number += 1) {
    metrics.onRequestEnded({ ...ANSWER, requestId: `req_${number}`, peer: `client-${number}` })
  }
  const { text, samples } = await read(metrics)
  t.is(samples.size, before.samples.size, 'no label grows with the requests')
  t.absent(/req_|client-|gateway@here/.test(text))
})

test('should keep two workers of one process apart', async (t) => {
  const [one, other] = [scene().metrics, scene().metrics]
  one.onPeerLost('auth')
  t.absent((await read(other)).samples.has('starling_peers_lost_total{role="auth"}'))
})
