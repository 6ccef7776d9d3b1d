import test from 'brittle'
import fc from 'fast-check'
import { ERROR_CODES, isErrorCode } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  fromWireError,
  toWireError,
  wireErrorSchema,
} from '../../../../helpers/errors/wire-error.js'
import { ensure, holds } from '../../../helpers/property.js'

const MESSAGE_LIMIT = 2048
/** Stands in whatever must not leave this process. */
const SECRET = '/home/ada/mesh/root.key'

const codes = fc.constantFrom(...Object.keys(ERROR_CODES).filter(isErrorCode))
const messages = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: MESSAGE_LIMIT - 2, maxLength: MESSAGE_LIMIT + 50 }),
)
const waits = fc.option(
  fc.oneof(fc.nat(), fc.double({ noNaN: true, noDefaultInfinity: true, min: -10, max: 1e12 })),
  { nil: undefined },
)
const requestIds = fc.option(fc.string({ maxLength: 64 }), { nil: undefined })
const causes = fc.constantFrom(undefined, new Error(SECRET), SECRET, { path: SECRET })

/** As an error travels: JSON, read by somebody who trusts nothing. */
function cross(error: unknown, requestId?: string): StarlingError {
  const bytes = Buffer.from(JSON.stringify(toWireError(error, requestId)))
  const text = bytes.toString()
  ensure(!text.includes(SECRET), `it leaks: ${text}`)
  return fromWireError(wireErrorSchema.parse(JSON.parse(text)))
}

test('should keep its code, message, wait and request when it crosses, and nothing that is below it', async (t) => {
  await holds(
    t,
    fc.property(codes, messages, waits, requestIds, causes, (code, message, wait, id, cause) => {
      const crossed = cross(
        new StarlingError(code, message, {
          cause,
          ...(wait !== undefined && { retryAfterMs: wait }),
          ...(id !== undefined && { requestId: id }),
        }),
      )
      ensure(crossed.code === code, `the code became ${crossed.code}`)
      ensure(crossed.message === message.slice(0, MESSAGE_LIMIT), 'the message changed')
      const waitsAtMost = wait === undefined ? undefined : Math.max(0, Math.ceil(wait))
      ensure(crossed.retryAfterMs === waitsAtMost, `the wait became ${crossed.retryAfterMs}`)
      ensure(crossed.requestId === id, `the request became ${crossed.requestId}`)
      ensure(!('cause' in crossed), 'it has a cause')
    }),
    300,
  )
})

test('should become INTERNAL with only the request id when a failure is not a StarlingError', async (t) => {
  const failures = fc.oneof(
    causes,
    fc.anything(),
    codes.map((code) => Object.assign(new Error(SECRET), { code, retryAfterMs: 5 })),
    codes.map((code) => ({ name: 'StarlingError', code, message: SECRET })),
    fc.constant(new AggregateError([new Error(SECRET)], SECRET)),
  )
  await holds(
    t,
    fc.property(failures, requestIds, (failure, id) => {
      const crossed = cross(failure, id)
      ensure(crossed.code === 'INTERNAL', `the code became ${crossed.code}`)
      ensure(crossed.retryAfterMs === undefined, 'it says when to come back')
      ensure(crossed.requestId === id, `the request became ${crossed.requestId}`)
    }),
    300,
  )
})

test('should become INTERNAL when a peer sends a code that is not in the table, and be refused when it is malformed', async (t) => {
  const wires = fc.record(
    {
      code: fc.oneof(codes, fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString')),
      message: messages,
      retryAfterMs: fc.oneof(fc.integer(), fc.double()),
      requestId: fc.string({ maxLength: 70 }),
      stack: fc.string(),
    },
    { requiredKeys: ['code', 'message'] },
  )
  await holds(
    t,
    fc.property(wires, (wire) => {
      const { success, data } = wireErrorSchema.safeParse(wire)
      const isFit =
        wire.code.length <= 64 &&
        wire.message.length <= MESSAGE_LIMIT &&
        (wire.requestId ?? '').length <= 64 &&
        !('stack' in wire) &&
        (wire.retryAfterMs === undefined ||
          (Number.isSafeInteger(wire.retryAfterMs) && wire.retryAfterMs >= 0))
      ensure(success === isFit, `${success ? 'accepted' : 'refused'}`)
      if (!success) return
      const known = Object.hasOwn(ERROR_CODES, wire.code)
      const { code } = fromWireError(data)
      ensure(code === (known ? wire.code : 'INTERNAL'), `${wire.code} became ${code}`)
    }),
    300,
  )
})
