import test from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ProcessorDirectory } from '../../../workers/gateway/processor-directory.js'
import { VirtualClock } from '../../helpers/clock/virtual-clock.js'
import { manyConnections, PeersStandIn } from '../../helpers/network/peers-stand-in.js'
import { offeredModel } from '../../helpers/workers/offered-models.js'

test('should hold 10,000 processors when they all connect at once, and ask them a few at a time', async (t) => {
  const clock = new VirtualClock()
  const peers = new PeersStandIn('processor')
  const directory = new ProcessorDirectory({
    processors: peers,
    clock,
    random: new SystemRandom(),
    loadIntervalMs: 500,
  })
  t.teardown(() => directory.close())
  await directory.ready()
  const load = { models: [offeredModel('small', { slots: 1 })] }
  const calls: number[] = []
  let callsNow = 0
  const connections = manyConnections(10_000, () => {
    callsNow += 1
    return load
  })
  for (const one of connections) peers.connect(one)
  calls.push(callsNow)
  for (let passedMs = 0; passedMs < 11_000; passedMs += 100) {
    callsNow = 0
    await clock.advance(100)
    calls.push(callsNow)
  }
  t.is(directory.serving('small')?.size, 10_000)
  t.is(directory.slots('small'), 10_000)
  t.ok(Math.max(...calls) <= 150, `${Math.max(...calls)} calls in a tenth of a second`)
  for (const one of connections) peers.lose(one)
  t.alike(directory.served, [])
})
