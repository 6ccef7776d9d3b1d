import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import {
  CHECK_INTERVAL_MS,
  createHttpApp,
  HEADERS_TIMEOUT_MS,
} from '../../../facilities/http/http-app.js'
import { HttpServer } from '../../../facilities/http/http-server.js'
import { workerProtocol } from '../../../helpers/protocol/worker-protocol.js'
import { readAll } from '../../helpers/network/call-service.js'
import { requestOptions } from '../../helpers/network/sample-service.js'
import { freeTcpPort } from '../../helpers/network/tcp-port.js'
import { rejectionOf, until } from '../../helpers/until.js'
import { ask, becomes, readiness, scrape } from '../../helpers/upstream/http-probe.js'
import { LocalWorkers } from '../../helpers/workers/local-workers.js'

const ADA = { email: 'ada@example.com', password: 'correct horse battery' }
const PROMPT = 'how do I leave him quietly'
const ANSWER = ['Pack', ' at', ' dawn,', ' tell', ' nobody.']
const never = new AbortController().signal

test('should say why it is not ready, and then that it is, when its mesh comes up', async (t) => {
  const port = await freeTcpPort()
  const mesh = await LocalWorkers.create(t)
  const gateway = await mesh.gateway({ metricsPort: port })
  t.is((await ask(port, '/healthz')).status, 200)
  t.is(await readiness(port), '503 AUTH_UNAVAILABLE MODEL_UNAVAILABLE')
  await mesh.auth()
  await becomes(port, '503 MODEL_UNAVAILABLE')
  await mesh.processor(new ScriptedEngine())
  await becomes(port, '200')
  t.is((await scrape(port)).get('starling_ready'), 1)
  await gateway.close()
  t.is(await readiness(port), '503 DRAINING', 'it can be seen while it leaves')
  t.is((await ask(port, '/healthz')).status, 200)
})

test('should count what it answers, in the mesh and by HTTP', async (t) => {
  const port = await freeTcpPort()
  const mesh = await LocalWorkers.create(t)
  await Promise.all([
    mesh.auth(),
    mesh.gateway({ metricsPort: port }),
    mesh.processor(new ScriptedEngine({ script: () => ANSWER })),
  ])
  const client = await mesh.client()
  await client.accounts.register(ADA, never)
  await rejectionOf(client.accounts.login({ ...ADA, password: 'wrong password' }, never))
  await readAll(client.ask({ messages: [{ role: 'user', content: PROMPT }] }, never))

  const samples = await scrape(port)
  t.is(samples.get('starling_calls_total{method="gateway.register",code="OK"}'), 1)
  t.is(samples.get('starling_calls_total{method="gateway.login",code="INVALID_CREDENTIAL"}'), 1)
  t.is(samples.get('starling_calls_total{method="gateway.infer",code="OK"}'), 1)
  t.is(samples.get('starling_stream_tokens_total{method="gateway.infer"}'), ANSWER.length)
  t.is(samples.get('starling_first_token_seconds_count{method="gateway.infer"}'), 1)
  t.is(samples.get('starling_streams_open'), 0)
  t.is(samples.get('starling_connections{state="proved"}'), 1)
  t.is(samples.get('starling_peers{role="auth"}'), 1)
  t.is(samples.get('starling_peers{role="processor"}'), 1)
  t.is(samples.get('starling_gateway_models'), 1)

  const connection = await mesh.connectionTo('gateway')
  const call = requestOptions(new SystemClock())
  t.alike(await connection.call(workerProtocol.ping, {}, call), {})
  const stats = await connection.call(workerProtocol.stats, {}, call)
  t.ok(stats.uptimeMs > 0)
  t.ok(stats.rssBytes > 10_000_000)
  t.ok(stats.eventLoopDelayP99Ms < 5_000)
  t.ok(stats.calls.answered >= 4)
  t.is(stats.calls.underWay, 1, 'the one that asks')
  t.alike(stats.streams, { answered: 1, underWay: 0 })
  t.is(stats.failures.INVALID_CREDENTIAL, 1)
  t.alike(stats.connections, { proved: 2, unverified: 0 })
  t.alike(stats.metrics, { models: 1, brokenAnswers: 0 })
})

test('should log no password, no session, no prompt and no answer at any log level', async (t) => {
  const lines: string[] = []
  const mesh = await LocalWorkers.create(t, { onLogLine: (line) => lines.push(line) })
  const engine = new ScriptedEngine({ script: () => ANSWER })
  const [, , processor] = await Promise.all([mesh.auth(), mesh.gateway(), mesh.processor(engine)])
  const client = await mesh.client()
  const { token } = await client.accounts.register(ADA, never)
  await rejectionOf(client.accounts.register(ADA, never))
  await rejectionOf(client.accounts.login({ ...ADA, password: `${ADA.password}, no` }, never))
  const question = { messages: [{ role: 'user' as const, content: PROMPT }] }
  const { chunks } = await readAll(client.ask(question, never))
  t.is(chunks.map(({ text }) => text).join(''), ANSWER.join(''))
  for await (const _token of client.ask(question, never)) break
  await processor.close()

  const log = () => lines.join('')
  await until('every answer to be written', () => log().split('gateway.infer').length > 2)
  t.ok(
    log().includes('gateway.register') && log().includes('processor.load'),
    'at its most talkative',
  )
  const secrets = [ADA.password, token, PROMPT, ...ANSWER, ADA.email]
  for (const secret of secrets) t.absent(log().includes(secret), secret)

  const answered = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'answered')
  for (const { method, requestId, code, durationMs } of answered) {
    t.ok(/^req_/.test(requestId) && code && durationMs >= 0, `${method} ${requestId} ${code}`)
  }
  const ids = (method: string) =>
    answered.filter((line) => line.method === method).map(({ requestId }) => requestId)
  t.alike(ids('processor.generate'), ids('gateway.infer').slice(0, 2), 'the same at every worker')
  const polls = answered.filter(({ method }) => method === 'processor.load')
  t.ok(polls.length > 0 && polls.every(({ level }) => level === 20), 'polls are for debugging')
})

test('should name the address of its port when the machine does not have it', async (t) => {
  const app = createHttpApp({ onInternalError: () => undefined })
  const elsewhere = new HttpServer(app, { host: '192.0.2.1', port: 1 })
  t.teardown(() => elsewhere.close(), { force: true })
  await t.exception(elsewhere.ready(), {
    code: 'PORT_UNAVAILABLE',
    message: 'TCP port 1 on 192.0.2.1 cannot be used: this machine does not have this address',
  })
})

test('should not wait for a client that never finishes a request', {
  timeout: 20_000,
}, async (t) => {
  const port = await freeTcpPort()
  const app = createHttpApp({ onInternalError: () => undefined })
  const server = new HttpServer(app, { host: '127.0.0.1', port })
  t.teardown(() => server.close(), { force: true })
  await server.ready()
  const startedAt = performance.now()
  const slow = connect(port, '127.0.0.1')
  slow.on('error', () => undefined)
  slow.write('GET / HTTP/1.1\r\nHost: x\r\n')
  slow.resume()
  await once(slow, 'close')
  const elapsedMs = performance.now() - startedAt
  t.ok(elapsedMs < HEADERS_TIMEOUT_MS + 4 * CHECK_INTERVAL_MS, `${elapsedMs} ms`)
})
