import test from 'brittle'
import { TokenGatherer } from '../../../../../../facilities/engine/llama/child/token-gatherer.js'
import { VirtualClock } from '../../../../../helpers/clock/virtual-clock.js'
import { settle } from '../../../../../helpers/until.js'

const token = (index: number) => ({ text: 'x', tokenId: 1, index })

/** A gatherer, and the id and index of each token in each message that it has sent. */
function scene(gatherMs = 8) {
  const clock = new VirtualClock()
  const sent: [number, number][][] = []
  const gatherer = new TokenGatherer({
    clock,
    gatherMs,
    send: (tokens) => sent.push(tokens.map(({ id, token: { index } }) => [id, index])),
  })
  return { clock, sent, gatherer }
}

test('should send what becomes ready in one turn in one message', async (t) => {
  const { sent, gatherer } = scene()
  gatherer.put(1, token(0), true)
  await Promise.resolve().then(() => gatherer.put(2, token(0), true))
  gatherer.put(1, token(1), false)
  t.is(sent.length, 0)
  await settle()
  t.alike(sent, [
    [
      [1, 0],
      [2, 0],
      [1, 1],
    ],
  ])
})

test('should gather tokens while the last message is younger than the limit', async (t) => {
  const { clock, sent, gatherer } = scene()
  gatherer.put(1, token(0), true)
  await settle()
  await clock.advance(3)
  gatherer.put(1, token(1), false)
  await clock.advance(3)
  gatherer.put(2, token(7), false)
  await clock.advance(1)
  t.is(sent.length, 1)
  await clock.advance(1)
  t.alike(sent.slice(1), [
    [
      [1, 1],
      [2, 7],
    ],
  ])
  t.is(clock.pending, 0)
})

test('should send a token at once when the last message is old enough', async (t) => {
  const { clock, sent, gatherer } = scene()
  gatherer.put(1, token(0), true)
  await settle()
  await clock.advance(8)
  gatherer.put(1, token(1), false)
  await settle()
  t.is(sent.length, 2)
  await clock.advance(4)
  gatherer.put(1, token(2), false)
  await settle()
  t.is(sent.length, 2, 'counted from the last message, not from the first one')
  await clock.advance(4)
  t.is(sent.length, 3)
})

test('should not let the first token of an answer wait, and send with it what does', async (t) => {
  const { clock, sent, gatherer } = scene()
  gatherer.put(1, token(0), true)
  await settle()
  await clock.advance(2)
  gatherer.put(1, token(1), false)
  gatherer.put(2, token(0), true)
  await settle()
  t.alike(sent.slice(1), [
    [
      [1, 1],
      [2, 0],
    ],
  ])
  t.is(clock.pending, 0)
  await clock.advance(20)
  t.is(sent.length, 2)
})

test('should gather nothing past the turn when the limit is 0', async (t) => {
  const { clock, sent, gatherer } = scene(0)
  for (let index = 0; index < 3; index += 1) {
    gatherer.put(1, token(index), index === 0)
    await settle()
  }
  t.is(sent.length, 3)
  t.is(clock.pending, 0)
})

test('should send at once and only once when it is flushed', async (t) => {
  const { clock, sent, gatherer } = scene()
  gatherer.put(1, token(0), true)
  gatherer.flush()
  gatherer.flush()
  t.is(sent.length, 1)
  await settle()
  gatherer.put(1, token(1), false)
  gatherer.flush()
  t.is(sent.length, 2)
  await clock.advance(20)
  t.is(sent.length, 2)
  t.is(clock.pending, 0)
})
