import test, { type Test } from 'brittle'
import Protomux from 'protomux'
import { startHeartbeat } from '../../../../../facilities/network/connection/heartbeat.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { pipeOpenStreams } from '../../../../helpers/network/piped-streams.js'
import { settle } from '../../../../helpers/until.js'

const INTERVAL_MS = 500

/** Two ends; the far one beats by a clock of its own, which the test moves or not. */
async function scene(t: Test) {
  const piped = await pipeOpenStreams()
  t.teardown(() => piped.initiator.destroy())
  const near = new VirtualClock()
  const far = new VirtualClock()
  let silences = 0
  const options = { intervalMs: INTERVAL_MS, missedLimit: 3 }
  const stop = startHeartbeat(new Protomux(piped.initiator), {
    ...options,
    clock: near,
    onSilence: () => {
      silences += 1
    },
  })
  startHeartbeat(new Protomux(piped.responder), { ...options, clock: far, onSilence: () => {} })
  await settle()
  const tick = async (clock: VirtualClock) => {
    await clock.advance(INTERVAL_MS)
    await settle(3)
  }
  return { piped, near, far, stop, tick, silences: () => silences }
}

test('should stay quiet when the other end beats', async (t) => {
  const { near, far, tick, silences } = await scene(t)
  for (let i = 0; i < 20; i += 1) {
    await tick(far)
    await tick(near)
  }
  t.is(silences(), 0)
})

test('should report the silence once, after the allowed number of intervals, when no beat arrives', async (t) => {
  const { near, tick, silences } = await scene(t)
  for (let i = 0; i < 3; i += 1) await tick(near)
  t.is(silences(), 0)
  await tick(near)
  t.is(silences(), 1)
  for (let i = 0; i < 5; i += 1) await tick(near)
  t.is(silences(), 1)
  t.is(near.pending, 0)
})

test('should report the silence soon after the allowed time when the other side dies right after a beat', async (t) => {
  const { near, far, tick, silences } = await scene(t)
  // Past a beat of our own, so that the last sign of life comes early in an interval.
  await near.advance(INTERVAL_MS + 10)
  await tick(far)
  await near.advance(3 * INTERVAL_MS)
  t.is(silences(), 0)
  await near.advance(INTERVAL_MS / 2)
  t.is(silences(), 1)
})

test('should count the silence anew when a beat comes late', async (t) => {
  const { near, far, tick, silences } = await scene(t)
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 3; i += 1) await tick(near)
    await tick(far)
  }
  t.is(silences(), 0)
})

test('should take any byte for life when no beat gets through', async (t) => {
  const { piped, near, tick, silences } = await scene(t)
  for (let i = 0; i < 10; i += 1) {
    piped.responder.write(Buffer.from([99, 0]))
    await settle()
    await tick(near)
  }
  t.is(silences(), 0)
})

test('should beat no more when it was stopped', async (t) => {
  const { near, stop, tick, silences } = await scene(t)
  stop()
  t.is(near.pending, 0)
  for (let i = 0; i < 10; i += 1) await tick(near)
  t.is(silences(), 0)
})

test('should do nothing when the stream is already closed', async (t) => {
  const piped = await pipeOpenStreams()
  const mux = new Protomux(piped.initiator)
  piped.initiator.destroy()
  await settle()
  const clock = new VirtualClock()
  startHeartbeat(mux, { clock, intervalMs: 1, missedLimit: 1, onSilence: () => t.fail() })()
  t.is(clock.pending, 0)
})
