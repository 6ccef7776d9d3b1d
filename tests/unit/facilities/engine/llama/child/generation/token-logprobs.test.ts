import test from 'brittle'
import type { Token } from 'node-llama-cpp'
import { logprobsOf } from '../../../../../../../facilities/engine/llama/child/generation/token-logprobs.js'

const LOGITS: readonly (readonly [number, number])[] = [
  [7, 2],
  [3, 1],
  [5, -1],
]

/** As llama.cpp tells them: a vocabulary of these three tokens. */
function next() {
  const logits = new Map(LOGITS.map(([token, logit]) => [token as Token, logit]))
  const totalLogitWeight = LOGITS.reduce((sum, [, logit]) => sum + Math.exp(logit - 2), 0)
  return { logits, totalLogitWeight }
}

test('should give the logarithms of probabilities that add up to one', (t) => {
  const { logprob, topLogprobs } = logprobsOf(next(), 3, 3, String)
  const total = topLogprobs.reduce((sum, one) => sum + Math.exp(one.logprob), 0)
  t.ok(Math.abs(total - 1) < 1e-9)
  t.is(logprob, topLogprobs[1]?.logprob)
  t.alike(
    topLogprobs.map(({ tokenId, text }) => [tokenId, text]),
    [
      [7, '7'],
      [3, '3'],
      [5, '5'],
    ],
  )
})

test('should give as many of the likeliest as were asked for', (t) => {
  t.is(logprobsOf(next(), 5, 1, String).topLogprobs.length, 1)
  t.is(logprobsOf(next(), 5, 0, String).topLogprobs.length, 0)
})

test('should never be more than certain', (t) => {
  const logits = new Map([[1 as Token, 20]])
  t.is(logprobsOf({ logits, totalLogitWeight: 0.999_999 }, 1, 0, String).logprob, 0)
})

test('should fail when there are no logits, or none of the token', (t) => {
  t.exception(() => logprobsOf({}, 1, 0, String))
  t.exception(() => logprobsOf(next(), 99, 0, String))
})
