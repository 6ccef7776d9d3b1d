import test from 'brittle'
import { ChildPulse, PULSE_INTERVAL_MS } from '../../../../facilities/engine/child-pulse.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

function scene() {
  const clock = new VirtualClock()
  const hangs: string[] = []
  let pings = 0
  const pulse = new ChildPulse({
    clock,
    ping: () => {
      pings += 1
    },
    onHang: (reason) => hangs.push(reason),
  })
  return { clock, pulse, hangs, pings: () => pings }
}

test('should ask again and again and be content when it is answered', async (t) => {
  const { clock, pulse, hangs, pings } = scene()
  for (let beat = 0; beat < 50; beat += 1) {
    await clock.advance(PULSE_INTERVAL_MS)
    pulse.answered()
  }
  t.is(pings(), 50)
  t.alike(hangs, [])
  pulse.end()
})

test('should say that the child hangs when it leaves ten questions in a row unanswered', async (t) => {
  const { clock, pulse, hangs } = scene()
  for (let beat = 0; beat < 10; beat += 1) await clock.advance(PULSE_INTERVAL_MS)
  t.alike(hangs, [])
  await clock.advance(PULSE_INTERVAL_MS)
  t.alike(hangs, ['it did not answer 10 times in a row'])
  pulse.end()
})

test('should begin to count again when the child answers late', async (t) => {
  const { clock, pulse, hangs } = scene()
  for (let beat = 0; beat < 9; beat += 1) await clock.advance(PULSE_INTERVAL_MS)
  pulse.answered()
  for (let beat = 0; beat < 9; beat += 1) await clock.advance(PULSE_INTERVAL_MS)
  t.alike(hangs, [])
  pulse.end()
})

test('should say that the child hangs when what was cancelled does not stop', async (t) => {
  const { clock, pulse, hangs } = scene()
  pulse.cancelled(1)
  pulse.cancelled(2)
  pulse.stopped(1)
  for (let beat = 0; beat < 30; beat += 1) {
    await clock.advance(PULSE_INTERVAL_MS)
    pulse.answered()
  }
  t.alike(hangs, ['what was cancelled did not stop within 60 s'])
  pulse.end()
})

test('should leave no timer when it ends', async (t) => {
  const { clock, pulse } = scene()
  pulse.cancelled(1)
  pulse.end()
  t.is(clock.pending, 0)
})
