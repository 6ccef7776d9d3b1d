import test from 'brittle'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { PooledModel } from '../../../../workers/processor/pooled-model.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

test('should name the mean time until a slot is free when its queue is full', async (t) => {
  const clock = new VirtualClock()
  const engine = new ScriptedEngine()
  const offer = { model: 'scripted', engine, slots: 2, describe: async () => ({}) }
  const model = new PooledModel(offer, { clock, queueLength: 0, onFreed: () => undefined })
  await model.queue.acquire()
  await model.queue.acquire()
  await t.exception(model.queue.acquire(), { code: 'OVERLOADED', retryAfterMs: undefined })
  model.answered(3_001)
  await t.exception(model.queue.acquire(), { code: 'OVERLOADED', retryAfterMs: 1_501 })
})
