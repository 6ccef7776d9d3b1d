import test from 'brittle'
import { RefusalDelays } from '../../../../../facilities/network/limits/refusal-delays.js'
import type { ErrorCode } from '../../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { settle } from '../../../../helpers/until.js'

function scene({ maxCalls = 400, maxStreams = 4_000 } = {}) {
  const clock = new VirtualClock()
  const held = new RefusalDelays(clock, { ...TEST_LIMITS, maxCalls, maxStreams })
  /** Refuses a request of that key. Tells how long its answer was held, undefined while it is. */
  const refuse = (
    key: string,
    changes: {
      code?: ErrorCode
      isWorker?: boolean
      signal?: AbortSignal
      remainingMs?: number
    } = {},
  ) => {
    const { code = 'RATE_LIMITED', isWorker = false, remainingMs = 10_000 } = changes
    const { signal = new AbortController().signal } = changes
    const startedAt = clock.monotonic()
    const answer: { heldMs?: number } = {}
    const member = { key, name: key, isWorker }
    const error = new StarlingError(code, 'no')
    void held
      .hold(member, { error, signal, remainingMs }, () => {})
      .then(() => {
        answer.heldMs = clock.monotonic() - startedAt
      })
    return answer
  }
  const heldFor = async (key: string, times: number, changes = {}) => {
    const answers = Array.from({ length: times }, () => refuse(key, changes))
    await settle(1)
    await clock.advance(1_000)
    return answers.map(({ heldMs }) => heldMs)
  }
  return { clock, held, refuse, heldFor }
}

test('should hold answers of a key ever longer when it was refused ten times', async (t) => {
  const { heldFor, clock, held } = scene()
  const answers = await heldFor('greedy', 30)
  t.alike(answers, [...Array(10).fill(0), 250, 500, 750, ...Array(17).fill(1_000)])
  t.alike(await heldFor('other', 1), [0], 'another key')
  t.alike([held.size, clock.pending], [0, 0])
})

test('should answer at once again when a key was not refused for 20 s', async (t) => {
  const { heldFor, clock } = scene()
  await heldFor('greedy', 10_000)
  t.alike(await heldFor('greedy', 1), [1_000])
  await clock.advance(19_000)
  t.alike(await heldFor('greedy', 10), Array(10).fill(0))
})

test('should never hold an answer when a key asks once a second', async (t) => {
  const { heldFor } = scene()
  for (let second = 0; second < 100; second += 1) {
    t.alike(await heldFor('patient', 1, { code: 'OVERLOADED' }), [0])
  }
})

test('should hold no answer of a worker, and none that says something else than to come later', async (t) => {
  const { heldFor } = scene()
  t.alike(await heldFor('gateway', 30, { isWorker: true }), Array(30).fill(0))
  t.alike(await heldFor('client', 30, { code: 'INVALID_CREDENTIAL' }), Array(30).fill(0))
})

test('should hold an answer for half of the time that its caller still waits at most', async (t) => {
  const { heldFor } = scene()
  await heldFor('greedy', 20)
  t.alike(await heldFor('greedy', 1, { remainingMs: 300 }), [150])
})

test('should let an answer go at once when its caller leaves', async (t) => {
  const { clock, held, refuse, heldFor } = scene()
  await heldFor('greedy', 20)
  const caller = new AbortController()
  const answer = refuse('greedy', { signal: caller.signal })
  await clock.advance(100)
  t.alike([answer.heldMs, held.size], [undefined, 1])
  caller.abort()
  await settle()
  t.alike([answer.heldMs, held.size, clock.pending], [100, 0, 0])
  const late = refuse('greedy', { signal: caller.signal })
  await settle()
  t.is(late.heldMs, 0, 'a caller that has left before')
})

test('should hold a quarter of the calls at most and answer others at once', async (t) => {
  for (const limits of [{ maxCalls: 40 }, { maxStreams: 40 }]) {
    const { heldFor } = scene(limits)
    const answers = await heldFor('greedy', 30)
    t.is(answers.filter((heldMs) => heldMs === 0).length, 20)
  }
})

test('should remember the 4,096 keys that were refused last', async (t) => {
  const { heldFor, refuse } = scene()
  for (const key of ['first', 'second', 'first']) {
    for (let times = 0; times < 20; times += 1) refuse(key)
  }
  for (let index = 0; index < 4_095; index += 1) refuse(`key ${index}`)
  t.alike(await heldFor('first', 1), [1_000])
  t.alike(await heldFor('second', 1), [0])
})
