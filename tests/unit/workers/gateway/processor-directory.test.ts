import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  type ProcessorLoad,
  processorProtocol,
} from '../../../../helpers/protocol/processor-protocol.js'
import { ProcessorDirectory } from '../../../../workers/gateway/processor-directory.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { connectionTo, PeersStandIn } from '../../../helpers/network/peers-stand-in.js'
import { settle } from '../../../helpers/until.js'
import { offeredModel } from '../../../helpers/workers/offered-models.js'

const INTERVAL_MS = 500

async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const peers = new PeersStandIn('processor')
  const directory = new ProcessorDirectory({
    processors: peers,
    clock,
    random: new SystemRandom(),
    loadIntervalMs: INTERVAL_MS,
  })
  cleanup.add(() => directory.close())
  await directory.ready()
  return { clock, peers, directory }
}

/** A processor that says of itself what the test sets. */
function processor(...models: string[]) {
  const load: ProcessorLoad = { models: models.map((name) => offeredModel(name)) }
  const service = new Service().unary(processorProtocol.load, async () => structuredClone(load))
  const connection = connectionTo(service, { caller: 'gateway', peer: 'processor' })
  return { load, connection }
}

test('should know the models of a processor as soon as it is connected', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection, load } = processor('small')
  t.alike(directory.models, [])
  peers.connect(connection)
  await settle()
  t.alike(directory.models, ['small'])
  const [known, ...others] = directory.serving('small')
  t.is(others.length, 0)
  t.is(known?.processor.connection, connection)
  t.alike(known?.processor.load, load)
  t.alike(known?.offer, load.models[0])
  t.is(known?.processor.sentSince('small'), 0)
})

test('should ask each processor once per interval', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection, load } = processor('small')
  peers.connect(connection)
  await settle()
  load.models = [offeredModel('small', { running: 3 })]
  await clock.advance(INTERVAL_MS - 1)
  t.is(directory.serving('small')[0]?.offer.running, 0)
  await clock.advance(1)
  t.is(directory.serving('small')[0]?.offer.running, 3)
  await clock.advance(2 * INTERVAL_MS)
  t.is(connection.call.callCount, 4)
})

test('should list each model once and in order when several processors serve them', async (t) => {
  const { peers, directory } = await scene(t)
  for (const models of [['small', 'large'], ['small'], []]) {
    peers.connect(processor(...models).connection)
  }
  await settle()
  t.alike(directory.models, ['large', 'small'])
  t.is(directory.serving('small').length, 2)
  t.is(directory.serving('large').length, 1)
  t.alike(directory.serving('other'), [])
})

test('should learn of a model when it is loaded later', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection, load } = processor()
  peers.connect(connection)
  await settle()
  t.alike(directory.models, [])
  load.models = [offeredModel('small')]
  await clock.advance(INTERVAL_MS)
  t.alike(directory.models, ['small'])
})

test('should forget a processor at once when it is lost', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection } = processor('small')
  peers.connect(connection)
  await settle()
  peers.lose(connection)
  t.alike(directory.models, [])
  t.alike(directory.serving('small'), [])
})

test('should drop a processor that does not answer, and list it again when it does', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const [one, other] = [processor('small'), processor('small')]
  peers.connect(one.connection)
  peers.connect(other.connection)
  await settle()
  one.connection.call.onSecondCall().rejects(new StarlingError('DEADLINE_EXCEEDED', 'silent'))
  await clock.advance(INTERVAL_MS)
  t.alike(
    directory.serving('small').map(({ processor }) => processor.connection),
    [other.connection],
  )
  await clock.advance(INTERVAL_MS)
  t.is(directory.serving('small').length, 2)
})

test('should not know a processor when it was lost before it answered', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection } = processor('small')
  peers.connect(connection)
  peers.lose(connection)
  await settle()
  t.alike(directory.models, [])
})

test('should reset the count of sent requests when a processor has reported', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection } = processor('small', 'large')
  peers.connect(connection)
  await settle()
  const [known] = directory.serving('small')
  const sentSince = () => known?.processor.sentSince('small')
  const ends = [known?.processor.begin('small'), known?.processor.begin('small')]
  t.is(sentSince(), 2)
  t.is(known?.processor.sentSince('large'), 0, 'each model has a line of its own')
  ends[0]?.()
  t.is(sentSince(), 1, 'less those that have ended')
  await clock.advance(INTERVAL_MS)
  t.is(sentSince(), 0)
  ends[1]?.()
  t.is(sentSince(), 0)
})

test('should keep the count of requests that were sent while a report was pending', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection } = processor('small')
  peers.connect(connection)
  await settle()
  const [known] = directory.serving('small')
  known?.processor.begin('small')
  let report = () => {}
  const reporting = new Promise<void>((resolve) => {
    report = resolve
  })
  const answer = connection.call.getCall(0).returnValue
  connection.call.onSecondCall().callsFake(async () => {
    await reporting
    return await answer
  })
  await clock.advance(INTERVAL_MS)
  known?.processor.begin('small')
  t.is(known?.processor.sentSince('small'), 2)
  report()
  await settle()
  t.is(known?.processor.sentSince('small'), 1, 'the report may not know of it')
})

test('should continue to ask the others when one does not answer', async (t) => {
  const { clock, peers } = await scene(t)
  const [silent, other] = [processor('small'), processor('small')]
  silent.connection.call.onSecondCall().returns(new Promise(() => undefined))
  for (const { connection } of [silent, other]) peers.connect(connection)
  await settle()
  await clock.advance(4 * INTERVAL_MS)
  t.is(other.connection.call.callCount, 5)
  t.is(silent.connection.call.callCount, 2, 'and the silent one not again before it has answered')
})

test('should stop asking when it is closed', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection } = processor('small')
  peers.connect(connection)
  await settle()
  await directory.close()
  t.is(clock.pending, 0)
  await clock.advance(10 * INTERVAL_MS)
  t.is(connection.call.callCount, 1)
})

test('should know which processors have a model loaded and which could load it', async (t) => {
  const { peers, directory } = await scene(t)
  const [loaded, other] = [processor('small'), processor('small')]
  other.load.models = [offeredModel('small', { isLoaded: false })]
  for (const { connection } of [other, loaded]) peers.connect(connection)
  await settle()
  t.alike(
    directory
      .serving('small')
      .map(({ processor, offer }) => [processor.connection, offer.isLoaded]),
    [
      [other.connection, false],
      [loaded.connection, true],
    ],
  )
})

test('should report all that is known about a model when some processors know more than others', async (t) => {
  const { peers, directory } = await scene(t)
  const [one, other] = [processor('small'), processor('small')]
  const details = { quantization: 'Q8_0', sizeBytes: 5, licence: 'MIT', source: 'npm:a@1' }
  one.load.models = [offeredModel('small', { contextTokens: 512, isLoaded: false })]
  other.load.models = [offeredModel('small', { contextTokens: 256, slots: 2, ...details })]
  for (const { connection } of [one, other]) peers.connect(connection)
  await settle()
  t.alike(directory.served, [
    { name: 'small', processors: 2, loaded: 1, slots: 6, contextTokens: 256, ...details },
  ])
})

test('should not offer a model that cannot chat', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection, load } = processor()
  load.models = [offeredModel('vectors', { purpose: 'embedding' })]
  peers.connect(connection)
  await settle()
  t.alike(directory.models, [])
  t.alike(directory.serving('vectors'), [])
  t.alike(directory.firstModels, [])
  t.ok(directory.has('vectors'), 'but say that it is there')
})
