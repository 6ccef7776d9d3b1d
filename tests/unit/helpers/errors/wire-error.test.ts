import test from 'brittle'
import { ERROR_CODES, isErrorCode } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  fromWireError,
  toWireError,
  wireErrorSchema,
} from '../../../../helpers/errors/wire-error.js'

const SECRET = '/home/ada/.starling/mesh/root.key'

test('should cross the wire unchanged when it is one of ours, whatever its code', (t) => {
  for (const code of Object.keys(ERROR_CODES).filter(isErrorCode)) {
    const wire = toWireError(
      new StarlingError(code, `it was ${code}`, { retryAfterMs: 5, requestId: 'req_1' }),
    )
    const error = fromWireError(wireErrorSchema.parse(JSON.parse(JSON.stringify(wire))))
    t.alike(
      [error.code, error.message, error.retryAfterMs, error.requestId],
      [code, `it was ${code}`, 5, 'req_1'],
    )
    t.is(error.isFromPeer, true, 'its words are not ours')
  }
})

test('should reveal only INTERNAL when the failure is not a StarlingError', (t) => {
  const failures = [
    new Error(`ENOENT: no such file, open '${SECRET}'`),
    new TypeError(SECRET),
    SECRET,
    { code: 'FORBIDDEN', message: SECRET },
    undefined,
  ]
  for (const failure of failures) {
    const wire = toWireError(failure, 'req_1')
    t.is(wire.code, 'INTERNAL')
    t.is(wire.requestId, 'req_1')
    t.absent(JSON.stringify(wire).includes('ada'))
  }
})

test('should keep cause and stack at home when an error crosses', (t) => {
  const error = new StarlingError('PEER_LOST', 'gone', { cause: new Error(SECRET) })
  t.alike(toWireError(error), { code: 'PEER_LOST', message: 'gone' })
})

test('should fit its own schema when message and wait are out of bounds', (t) => {
  const wires = [
    toWireError(new StarlingError('PEER_LOST', 'x'.repeat(5_000))),
    toWireError(new StarlingError('OVERLOADED', 'x', { retryAfterMs: -3.2 })),
    toWireError(new StarlingError('OVERLOADED', 'x', { retryAfterMs: 0.4 })),
  ]
  for (const wire of wires) t.ok(wireErrorSchema.safeParse(wire).success)
  t.is(wires[2]?.retryAfterMs, 1, 'a wait is rounded up, never to nothing')
})

test('should become INTERNAL and name the code when this version does not know it', (t) => {
  for (const code of ['FROM_THE_FUTURE', 'constructor', '__proto__']) {
    const error = fromWireError({ code, message: 'who knows' })
    t.is(error.code, 'INTERNAL')
    t.is(error.message, `${code}: who knows`)
  }
})

test('should be refused when a peer adds fields or sends sizes that are not allowed', (t) => {
  const wires = [
    { code: 'PEER_LOST', message: 'x', stack: 'at …' },
    { code: 'X'.repeat(65), message: 'x' },
    { code: 'PEER_LOST', message: 'x'.repeat(2_049) },
    { code: 'PEER_LOST', message: 'x', retryAfterMs: -1 },
    { code: 'PEER_LOST' },
  ]
  for (const wire of wires) t.absent(wireErrorSchema.safeParse(wire).success)
})
