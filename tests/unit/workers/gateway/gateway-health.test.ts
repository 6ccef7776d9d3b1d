import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { settle } from '../../../helpers/until.js'
import { gatewayScene } from '../../../helpers/workers/gateway-scene.js'

/** As much as the gateway asks for its keys in: twice. */
const PREPARED_MS = 1_000

test('should say what it waits for until it can answer', async (t) => {
  const { gateway, clock, connectAuth, connectProcessor } = await gatewayScene(t)
  const messages = () => gateway.problems().map(({ code, message }) => `${code}: ${message}`)
  const noProcessor = 'MODEL_UNAVAILABLE: No processor is connected'
  t.alike(messages(), [
    'AUTH_UNAVAILABLE: No auth worker is connected',
    'AUTH_UNAVAILABLE: The session keys are not known yet',
    noProcessor,
  ])
  t.ok(gateway.problems().every(({ blocks }) => blocks))
  connectAuth()
  t.alike(messages(), ['AUTH_UNAVAILABLE: The session keys are not known yet', noProcessor])
  await clock.advance(PREPARED_MS)
  t.alike(messages(), [noProcessor])
  await connectProcessor()
  t.alike(messages(), [])
})

test('should fetch the keys of sessions before the first session arrives', async (t) => {
  const { clock, connectAuth, authConnection } = await gatewayScene(t)
  await clock.advance(10 * PREPARED_MS)
  t.is(authConnection.call.callCount, 0)
  connectAuth()
  await clock.advance(10 * PREPARED_MS)
  t.alike(
    authConnection.call.args.map(([method]) => method.name),
    ['auth.sessionKeys'],
    'and asks for them once',
  )
})

test('should ask for the keys again when they could not be fetched', async (t) => {
  const { gateway, clock, connectAuth, connectProcessor, authConnection } = await gatewayScene(t)
  await connectProcessor()
  authConnection.call.onFirstCall().rejects(new StarlingError('PEER_LOST', 'gone'))
  connectAuth()
  await clock.advance(PREPARED_MS)
  t.alike(gateway.problems(), [])
})

test('should not ask for the keys at the same time as other gateways when they cannot be fetched', async (t) => {
  const { clock, connectAuth, authConnection } = await gatewayScene(t)
  const times: number[] = []
  authConnection.call.callsFake(async () => {
    times.push(clock.monotonic())
    throw new StarlingError('PEER_LOST', 'gone')
  })
  connectAuth()
  await clock.advance(20 * PREPARED_MS)
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  t.ok(pauses.length >= 10)
  t.ok(new Set(pauses).size > pauses.length / 2, `${pauses}`)
})

test('should stay ready and warn when auth disconnects after its keys are known', async (t) => {
  const { gateway, clock, connectAuth, loseAuth, connectProcessor } = await gatewayScene(t)
  await connectProcessor()
  connectAuth()
  await clock.advance(PREPARED_MS)
  loseAuth()
  const message = 'No auth worker is connected'
  t.alike(gateway.problems(), [{ code: 'AUTH_UNAVAILABLE', message, blocks: false }])
})

test('should distinguish a processor without a model from no processor', async (t) => {
  const { gateway, clock, connectAuth, connectProcessor, loseProcessor } = await gatewayScene(t)
  connectAuth()
  await clock.advance(PREPARED_MS)
  const { connection } = await connectProcessor()
  connection.call.rejects(new StarlingError('DEADLINE_EXCEEDED', 'slow'))
  await clock.advance(PREPARED_MS)
  const blocks = true
  const message = 'No connected processor has a model loaded'
  t.alike(gateway.problems(), [{ code: 'MODEL_UNAVAILABLE', message, blocks }])
  loseProcessor(connection)
  await settle()
  t.is(gateway.problems()[0]?.message, 'No processor is connected')
})

test('should count the models that are served', async (t) => {
  const { gateway, connectProcessor } = await gatewayScene(t)
  const models = () => gateway.metrics.find(({ name }) => name === 'models')?.value()
  t.is(models(), 0)
  await connectProcessor(new ScriptedEngine({ model: 'a' }))
  await connectProcessor(new ScriptedEngine({ model: 'b' }))
  await connectProcessor(new ScriptedEngine({ model: 'b' }))
  t.is(models(), 2)
})
