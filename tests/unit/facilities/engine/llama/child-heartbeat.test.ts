import test from 'brittle'
import {
  ChildHeartbeat,
  PING_INTERVAL_MS,
} from '../../../../../facilities/engine/llama/child-heartbeat.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'

function scene() {
  const clock = new VirtualClock()
  const hangs: string[] = []
  const blamed: (readonly number[])[] = []
  let pings = 0
  let blocking: number | null = null
  const heartbeat = new ChildHeartbeat({
    clock,
    ping: () => {
      pings += 1
    },
    blocking: () => blocking,
    onHang: (reason, requests) => {
      hangs.push(reason)
      blamed.push(requests)
    },
  })
  const blocks = (request: number | null) => {
    blocking = request
  }
  return { clock, heartbeat, hangs, blamed, blocks, pings: () => pings }
}

test('should ask again and again and be content when it is answered', async (t) => {
  const { clock, heartbeat, hangs, pings } = scene()
  for (let beat = 0; beat < 50; beat += 1) {
    await clock.advance(PING_INTERVAL_MS)
    heartbeat.answered()
  }
  t.is(pings(), 50)
  t.alike(hangs, [])
  heartbeat.end()
})

test('should report that the child hangs when it leaves ten pings in a row unanswered', async (t) => {
  const { clock, heartbeat, hangs } = scene()
  for (let beat = 0; beat < 10; beat += 1) await clock.advance(PING_INTERVAL_MS)
  t.alike(hangs, [])
  await clock.advance(PING_INTERVAL_MS)
  t.alike(hangs, ['it did not answer 10 times in a row'])
  heartbeat.end()
})

test('should begin to count again when the child answers late', async (t) => {
  const { clock, heartbeat, hangs } = scene()
  for (let beat = 0; beat < 9; beat += 1) await clock.advance(PING_INTERVAL_MS)
  heartbeat.answered()
  for (let beat = 0; beat < 9; beat += 1) await clock.advance(PING_INTERVAL_MS)
  t.alike(hangs, [])
  heartbeat.end()
})

test('should say that the child hangs when what was cancelled does not stop', async (t) => {
  const { clock, heartbeat, hangs } = scene()
  heartbeat.cancelled(1)
  heartbeat.cancelled(2)
  heartbeat.stopped(1)
  for (let beat = 0; beat < 30; beat += 1) {
    await clock.advance(PING_INTERVAL_MS)
    heartbeat.answered()
  }
  t.alike(hangs, ['a cancelled answer did not stop within 60 s'])
  heartbeat.end()
})

test('should blame the request that blocks the child when it leaves five pings unanswered', async (t) => {
  const { clock, heartbeat, hangs, blamed, blocks } = scene()
  for (let beat = 0; beat < 3; beat += 1) await clock.advance(PING_INTERVAL_MS)
  heartbeat.answered()
  blocks(7)
  for (let beat = 0; beat < 5; beat += 1) await clock.advance(PING_INTERVAL_MS)
  t.alike(hangs, [], 'counted from its last answer')
  await clock.advance(PING_INTERVAL_MS)
  t.alike(hangs, ['it took longer than 10 s'])
  t.alike(blamed, [[7]])
  heartbeat.end()
})

test('should blame no request when the child hangs and blocks for none', async (t) => {
  const { clock, heartbeat, hangs, blamed, blocks } = scene()
  blocks(7)
  await clock.advance(PING_INTERVAL_MS)
  blocks(null)
  for (let beat = 0; beat < 10; beat += 1) await clock.advance(PING_INTERVAL_MS)
  t.is(hangs.length, 1)
  t.alike(blamed, [[]])
  heartbeat.end()
})

test('should blame the request whose token is chosen for 10 s while the child answers', async (t) => {
  const { clock, heartbeat, hangs, blamed } = scene()
  const work = { done: 3, tokens: 2, choosing: [{ request: 4, index: 9 }] }
  for (let beat = 0; beat < 6; beat += 1) {
    t.alike(hangs, [])
    await clock.advance(PING_INTERVAL_MS)
    heartbeat.answered(work)
  }
  t.alike(hangs, ['choosing a token with it took longer than 10 s'])
  t.alike(blamed, [[4]])
  heartbeat.end()
})

test('should leave no timer when it ends', async (t) => {
  const { clock, heartbeat } = scene()
  heartbeat.cancelled(1)
  heartbeat.end()
  t.is(clock.pending, 0)
})
