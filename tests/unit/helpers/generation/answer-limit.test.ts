import test from 'brittle'
import { isLimitReached, mostTokens } from '../../../../helpers/generation/answer-limit.js'

test('should count the thought when the request sets a limit', (t) => {
  t.is(mostTokens(30, true), 30)
  t.absent(isLimitReached(30, 29, 29))
  t.ok(isLimitReached(30, 30, 29))
})

test('should leave an answer its tokens whatever the thought before it took', (t) => {
  t.is(mostTokens(undefined, false), 512)
  t.absent(isLimitReached(undefined, 511, 0))
  t.ok(isLimitReached(undefined, 512, 0))
  t.absent(isLimitReached(undefined, 1_511, 1_000))
  t.ok(isLimitReached(undefined, 1_512, 1_000))
})

test('should end a thought that does not end', (t) => {
  t.is(mostTokens(undefined, true), 4096)
  t.absent(isLimitReached(undefined, 4095, 4095))
  t.ok(isLimitReached(undefined, 4096, 4096))
})
