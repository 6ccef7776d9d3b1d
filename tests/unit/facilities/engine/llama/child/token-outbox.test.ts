import test from 'brittle'
import {
  type AddressedToken,
  TokenOutbox,
} from '../../../../../../facilities/engine/llama/child/token-outbox.js'

const token = (index: number) => ({ text: 'x', tokenId: 1, index })

test('should send what became ready together in one message', async (t) => {
  const sent: AddressedToken[][] = []
  const outbox = new TokenOutbox((tokens) => sent.push(tokens))
  outbox.put(1, token(0))
  await Promise.resolve().then(() => outbox.put(2, token(0)))
  outbox.put(1, token(1))
  t.is(sent.length, 0)
  await new Promise((resolve) => setImmediate(resolve))
  t.alike(
    sent.map((tokens) => tokens.map(({ id, token: { index } }) => [id, index])),
    [
      [
        [1, 0],
        [2, 0],
        [1, 1],
      ],
    ],
  )
})

test('should send at once and only once when it is flushed', async (t) => {
  const sent: AddressedToken[][] = []
  const outbox = new TokenOutbox((tokens) => sent.push(tokens))
  outbox.put(1, token(0))
  outbox.flush()
  outbox.flush()
  t.is(sent.length, 1)
  await new Promise((resolve) => setImmediate(resolve))
  t.is(sent.length, 1)
  outbox.put(1, token(1))
  await new Promise((resolve) => setImmediate(resolve))
  t.is(sent.length, 2)
})
