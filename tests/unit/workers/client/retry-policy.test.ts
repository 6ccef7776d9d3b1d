import test from 'brittle'
import type { ErrorCode } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { RetryPolicy } from '../../../../workers/client/retry-policy.js'

const LEFT_MS = 10_000

const failure = (code: ErrorCode, retryAfterMs?: number) =>
  new StarlingError(code, `it is ${code}`, retryAfterMs === undefined ? {} : { retryAfterMs })

/** What the user is told after these failures, the last of which is not repeated. */
function told(policy: RetryPolicy, ...failures: StarlingError[]): unknown {
  try {
    for (const error of failures) policy.pauseMs(error, LEFT_MS, 0.5)
  } catch (error) {
    return Object(error).code
  }
  return undefined
}

/** Repeats everything but what a user has asked too often for. */
const unlimited = () => new RetryPolicy(({ code }) => code !== 'RATE_LIMITED')

test('should report the reason for the retry when the retry exceeds the rate limit', (t) => {
  t.is(told(unlimited(), failure('PEER_LOST'), failure('RATE_LIMITED')), 'PEER_LOST')
})

test('should report the rate limit when it had only waited for a gateway before', (t) => {
  const failures = [failure('GATEWAY_NOT_FOUND'), failure('RATE_LIMITED')]
  t.is(told(unlimited(), ...failures), 'RATE_LIMITED')
})

test('should wait as long as a limit asks for when it is repeated', (t) => {
  const policy = new RetryPolicy(() => true)
  t.ok(policy.pauseMs(failure('RATE_LIMITED', 1_000), LEFT_MS, 0) >= 1_000)
})

test('should report the rate limit when it does not end in the remaining time', (t) => {
  const policy = new RetryPolicy(() => true)
  t.exception(() => policy.pauseMs(failure('RATE_LIMITED', 1_000), 999, 0), {
    code: 'RATE_LIMITED',
  })
})
