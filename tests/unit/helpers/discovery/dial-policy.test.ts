import test from 'brittle'
import { type DialFailure, redialDelayMs } from '../../../../helpers/discovery/dial-policy.js'

const failure: DialFailure = {
  code: 'PEER_UNREACHABLE',
  isKnown: false,
  isStranger: false,
  failures: 0,
}

/** The mean delays in seconds after each of ten failures in a row. */
function delays(changes: Partial<DialFailure>): number[] {
  return Array.from(
    { length: 10 },
    (_, failures) => redialDelayMs({ ...failure, ...changes, failures }, 0.5) / 1_000,
  )
}

test('should wait longer after each failure, and for a known worker not as long', (t) => {
  t.alike(delays({}), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60])
  t.alike(delays({ isKnown: true }), [1, 2, 4, 8, 15, 15, 15, 15, 15, 15])
  t.is(redialDelayMs({ ...failure, isKnown: true, failures: 10 }, 0.5), 60_000)
})

test('should wait long when a peer did not know the mesh secret', (t) => {
  const stranger = { code: 'HELLO_FAILED', isStranger: true } as const
  t.alike(delays(stranger).slice(0, 5), [60, 120, 240, 480, 900])
  t.is(delays(stranger).at(-1), 900)
  t.is(delays({ ...stranger, isKnown: true })[0], 1, 'a known worker may be busy')
})

test('should wait half a minute when a member was refused', (t) => {
  for (const code of ['CERTIFICATE_INVALID', 'VERSION_UNSUPPORTED', 'FORBIDDEN'] as const) {
    t.is(redialDelayMs({ ...failure, code }, 0.5), 30_000)
  }
})

test('should not dial before the time that a worker asks for, but no later than half a minute', (t) => {
  const overloaded = { ...failure, code: 'OVERLOADED' } as const
  t.is(redialDelayMs({ ...overloaded, retryAfterMs: 5_000 }, 0), 5_000)
  t.is(redialDelayMs({ ...overloaded, retryAfterMs: 3_600_000 }, 0), 30_000)
})

test('should spread the delays between half and one and a half of the mean', (t) => {
  t.is(redialDelayMs(failure, 0), 500)
  t.is(redialDelayMs(failure, 0.999), 1_499)
})
