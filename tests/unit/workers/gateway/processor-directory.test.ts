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

/** The processor that a request for `small` would be sent to, and its offer. */
function chosen(directory: ProcessorDirectory) {
  return directory.serving('small')?.choose(() => 0)
}

test('should know the models of a processor as soon as it is connected', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection, load } = processor('small')
  t.alike(directory.models, [])
  peers.connect(connection)
  await settle()
  t.alike(directory.models, ['small'])
  t.is(directory.serving('small')?.size, 1)
  const known = chosen(directory)
  t.is(known?.processor.connection, connection)
  t.alike(known?.offer, load.models[0])
  t.is(known?.load.sentSince, 0)
})

test('should ask each processor once per interval', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection, load } = processor('small')
  peers.connect(connection)
  await settle()
  load.models = [offeredModel('small', { running: 3 })]
  await clock.advance(INTERVAL_MS - 1)
  t.is(chosen(directory)?.offer.running, 0)
  await clock.advance(1)
  t.is(chosen(directory)?.offer.running, 3)
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
  t.is(directory.serving('small')?.size, 2)
  t.is(directory.serving('large')?.size, 1)
  t.is(directory.serving('other'), undefined)
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
  t.is(directory.serving('small'), undefined)
  t.is(directory.slots('small'), 0)
  t.alike(directory.leadingModels, [])
})

test('should drop a processor that does not answer, and list it again when it does', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const [one, other] = [processor('small'), processor('small')]
  peers.connect(one.connection)
  peers.connect(other.connection)
  await settle()
  one.connection.call.onSecondCall().rejects(new StarlingError('DEADLINE_EXCEEDED', 'silent'))
  await clock.advance(INTERVAL_MS)
  t.is(directory.serving('small')?.size, 1)
  t.is(chosen(directory)?.processor.connection, other.connection)
  await clock.advance(INTERVAL_MS)
  t.is(directory.serving('small')?.size, 2)
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
  const known = chosen(directory)
  const sentSince = () => known?.load.sentSince
  const ends = [known?.begin(), known?.begin()]
  t.is(sentSince(), 2)
  t.is(directory.serving('large')?.choose(() => 0)?.load.sentSince, 0, 'each model has its own')
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
  const known = chosen(directory)
  const sentSince = () => known?.load.sentSince
  const endFirst = known?.begin()
  known?.begin()
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
  const endMeanwhile = known?.begin()
  known?.begin()
  t.is(sentSince(), 4)
  endFirst?.()
  t.is(sentSince(), 3)
  report()
  await settle()
  t.is(sentSince(), 2, 'the report may not know of them')
  endMeanwhile?.()
  t.is(sentSince(), 1)
  await clock.advance(2 * INTERVAL_MS)
  t.is(sentSince(), 0)
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
  const { clock, peers, directory } = await scene(t)
  const [loaded, other] = [processor('small'), processor('small')]
  other.load.models = [offeredModel('small', { isLoaded: false })]
  for (const { connection } of [other, loaded]) peers.connect(connection)
  await settle()
  const small = { name: 'small', processors: 2, slots: 8 }
  t.alike(directory.served, [{ ...small, loaded: 1 }])
  t.is(chosen(directory)?.processor.connection, loaded.connection)
  other.load.models = [offeredModel('small')]
  await clock.advance(INTERVAL_MS)
  t.alike(directory.served, [{ ...small, loaded: 2 }])
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
  t.is(directory.serving('vectors'), undefined)
  t.alike(directory.leadingModels, [])
  t.ok(directory.has('vectors'), 'but say that it is there')
})

test('should count a model once when a processor lists it twice', async (t) => {
  const { peers, directory } = await scene(t)
  const { connection, load } = processor()
  load.models = [offeredModel('small', { slots: 1 }), offeredModel('small', { slots: 9 })]
  peers.connect(connection)
  await settle()
  t.alike(directory.served, [{ name: 'small', processors: 1, loaded: 1, slots: 1 }])
})

test('should list a model for its present purpose when that changes', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const { connection, load } = processor('small')
  peers.connect(connection)
  await settle()
  load.models = [offeredModel('small', { purpose: 'embedding' })]
  await clock.advance(INTERVAL_MS)
  t.alike([directory.models, directory.embeddingModels], [[], ['small']])
  load.models = [offeredModel('small')]
  await clock.advance(INTERVAL_MS)
  t.alike([directory.models, directory.embeddingModels], [['small'], []])
})

test('should say which models come first on most processors while processors come and go', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const [one, two, three] = [processor('b', 'a'), processor('a', 'b'), processor('b')]
  peers.connect(one.connection)
  await settle()
  t.alike(directory.leadingModels, ['b'])
  peers.connect(two.connection)
  await settle()
  t.alike(directory.leadingModels, ['a', 'b'])
  peers.connect(three.connection)
  await settle()
  t.alike(directory.leadingModels, ['b'])
  three.load.models = [offeredModel('a')]
  await clock.advance(INTERVAL_MS)
  t.alike(directory.leadingModels, ['a'])
  peers.lose(two.connection)
  peers.lose(three.connection)
  t.alike(directory.leadingModels, ['b'])
})

test('should send a request elsewhere when it has filled the slots of a processor since its report', async (t) => {
  const { peers, directory } = await scene(t)
  const [loaded, other] = [processor(), processor()]
  loaded.load.models = [offeredModel('small', { slots: 1, answerMs: 5_000 })]
  other.load.models = [offeredModel('small', { isLoaded: false, loadMs: 1_000 })]
  for (const { connection } of [loaded, other]) peers.connect(connection)
  await settle()
  const connection = () => chosen(directory)?.processor.connection
  t.is(connection(), loaded.connection)
  const end = chosen(directory)?.begin()
  t.is(connection(), other.connection, 'loading takes less than waiting')
  end?.()
  t.is(connection(), loaded.connection)
})

test('should count the slots of the others exactly when a processor claims to have very many', async (t) => {
  const { clock, peers, directory } = await scene(t)
  const [honest, liar] = [processor(), processor()]
  honest.load.models = [offeredModel('small', { slots: 3 })]
  liar.load.models = [offeredModel('small', { slots: Number.MAX_SAFE_INTEGER })]
  for (const { connection } of [honest, liar]) peers.connect(connection)
  await clock.advance(10 * INTERVAL_MS)
  t.is(directory.slots('small'), 3 + 65_536)
  peers.lose(liar.connection)
  t.is(directory.slots('small'), 3)
})
