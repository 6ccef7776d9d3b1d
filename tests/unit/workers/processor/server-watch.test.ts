import test, { type Test } from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import type { ErrorCode } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { processorProtocol } from '../../../../helpers/protocol/processor-protocol.js'
import { EnginePool } from '../../../../workers/processor/engine-pool.js'
import { SoleBudget } from '../../../../workers/processor/memory-budget.js'
import { ModelServerStatus } from '../../../../workers/processor/model-server-status.js'
import { reportServers } from '../../../../workers/processor/processor-report.js'
import { ProcessorWorker } from '../../../../workers/processor/processor-worker.js'
import { ServerWatch } from '../../../../workers/processor/server-watch.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { openStream, readAll, requestContext } from '../../../helpers/network/call-service.js'
import { settle } from '../../../helpers/until.js'

const DOWN = new StarlingError(
  'ENGINE_UNREACHABLE',
  'No server answers at http://x:1 (ECONNREFUSED)',
)
const CHECK_MS = 5_000

/** A processor whose models run on a server, and perhaps one of its own. */
async function scene(
  t: Test,
  {
    own = [],
    isUp = false,
    remote = new ScriptedEngine({ model: 'far' }),
  }: { own?: string[]; isUp?: boolean; remote?: ScriptedEngine } = {},
) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const failure: StarlingError | null = isUp ? null : DOWN
  const server = { failure, models: ['far'], created: 0 }
  const offered = new ModelServerStatus({
    title: 'the test server',
    url: 'http://x:1',
    slots: 2,
    list: async () => {
      if (server.failure !== null) throw server.failure
      return server.models.map((model) => ({
        model,
        details: {},
        createEngine: () => {
          server.created += 1
          return remote
        },
      }))
    },
  })
  const offers = own.map((model) => ({
    model,
    engine: new ScriptedEngine({ model }),
    slots: 1,
    describe: async () => ({}),
  }))
  const first = await offered.check()
  const budget = new SoleBudget(Number.MAX_SAFE_INTEGER)
  const pool = new EnginePool({ offers: [...offers, ...first], budget, queueLength: 2, clock })
  const service = new Service()
  const servers = new ServerWatch({ servers: [offered], clock })
  const worker = new ProcessorWorker({ service, pool, servers })
  const notices: string[] = []
  reportServers(servers, (text) => notices.push(text))
  cleanup.add(() => worker.close())
  cleanup.add(() => servers.close())
  await worker.ready()
  await servers.ready()
  await settle()
  return {
    server,
    worker,
    notices,
    /** Lets the next check happen. */
    check: async () => {
      await clock.advance(CHECK_MS)
      await settle()
    },
    ask: (model: string) => {
      const messages = [{ role: 'user' as const, content: 'yes' }]
      return openStream(
        service,
        processorProtocol.generate,
        { model, messages },
        requestContext('gateway', { signal: new AbortController().signal }),
      )
    },
    names: () => worker.load().models.map(({ name, hindrance }) => [name, hindrance]),
  }
}

const blocking = (code: ErrorCode, message: string, blocks = true) => ({ code, message, blocks })

test('should wait for its server, say so, and serve when the server is up', async (t) => {
  const { server, worker, notices, check, ask, names } = await scene(t)
  const message = `Waiting for the test server: ${DOWN.message}`
  t.alike(worker.problems(), [blocking('ENGINE_UNREACHABLE', message)])
  const told = message.replace('http://x:1', '[address]')
  await t.exception(ask('far').next(), { code: 'MODEL_UNAVAILABLE', message: told })
  t.alike(names(), [])
  await check()
  t.alike(notices, [message], 'once, however long it takes')
  server.failure = null
  await check()
  await worker.serving()
  t.alike(worker.problems(), [])
  t.alike(names(), [['far', undefined]])
  t.is((await readAll(ask('far'))).chunks.length, 1)
  t.alike(notices, [message, 'Found the test server at http://x:1'])
})

test('should serve its own models while it waits for a server', async (t) => {
  const { server, worker, check, names } = await scene(t, { own: ['near'] })
  await worker.serving()
  const message = `Waiting for the test server: ${DOWN.message}`
  t.alike(worker.problems(), [blocking('ENGINE_UNREACHABLE', message, false)])
  t.alike(names(), [['near', undefined]])
  server.failure = null
  await check()
  t.alike(names(), [
    ['near', undefined],
    ['far', undefined],
  ])
  t.alike(worker.problems(), [])
})

test('should report that its server has ended without promising a restart, and report when it is back', async (t) => {
  const { server, worker, notices, check, names } = await scene(t, { isUp: true })
  await worker.serving()
  t.alike(worker.problems(), [])
  server.failure = DOWN
  await check()
  const message = `Lost the test server: ${DOWN.message}`
  t.alike(worker.problems(), [blocking('ENGINE_UNREACHABLE', message)])
  t.absent(/start/.test(message))
  t.alike(names(), [['far', 'failure']], 'gateways prefer others')
  server.failure = null
  await check()
  t.alike(worker.problems(), [])
  t.alike(names(), [['far', undefined]])
  t.alike(notices, [message, 'Back: the test server at http://x:1'])
  t.is(server.created, 1, 'a check makes no engines')
})

test('should wait for a model when its server has none', async (t) => {
  const { server, worker, check } = await scene(t, { isUp: true })
  await worker.serving()
  server.models = []
  await check()
  t.alike(worker.problems(), [], 'only engines tell that a model has gone')

  const empty = new ModelServerStatus({
    title: 'the test server',
    url: 'http://x:1',
    slots: 1,
    list: async () => [],
  })
  t.alike(await empty.check(), [])
  t.is(empty.failure?.message, 'The server at http://x:1 has no models')
})

test('should fail when the server or model that it waits for cannot be used', async (t) => {
  const { server, worker, check } = await scene(t)
  server.failure = new StarlingError('CONFIG_INVALID', 'The server at http://x:1 refuses the key')
  const failed = t.exception(worker.serving(), { code: 'CONFIG_INVALID' })
  await check()
  await failed
})

test('should keep its own model when a server that comes later has one of that name', async (t) => {
  const { server, worker, notices, check, names } = await scene(t, { own: ['far'] })
  await worker.serving()
  server.failure = null
  await check()
  t.alike(names(), [['far', undefined]])
  t.is(notices.at(-1), 'Not served, because other models have their names: far')
})

test('should wait again when its server ends before the model is loaded', async (t) => {
  let failsToLoad = true
  const remote = new ScriptedEngine({
    model: 'far',
    beforeLoad: async () => {
      if (failsToLoad) throw DOWN
    },
  })
  const { server, worker, check } = await scene(t, { remote })
  server.failure = null
  await check()
  t.is(worker.load().models.length, 0)
  failsToLoad = false
  await check()
  await worker.serving()
  t.alike(worker.problems(), [])
})
