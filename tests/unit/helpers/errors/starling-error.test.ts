import test from 'brittle'
import { ERROR_CODES } from '../../../../helpers/errors/error-codes.js'
import { isStarlingError, StarlingError } from '../../../../helpers/errors/starling-error.js'

test('should answer from the table when asked what to do and whether to try again', (t) => {
  const lost = new StarlingError('PEER_LOST', 'The gateway went away')
  t.is(lost.retryable, true)
  t.is(lost.whatToDo, ERROR_CODES.PEER_LOST.whatToDo)
  t.is(new StarlingError('FORBIDDEN', 'No').retryable, false)
})

test('should carry its cause, its request and its wait when given them', (t) => {
  const cause = new Error('below')
  const error = new StarlingError('OVERLOADED', 'Too much', {
    cause,
    retryAfterMs: 250,
    requestId: 'req_1',
  })
  t.is(error.cause, cause)
  t.is(error.retryAfterMs, 250)
  t.is(error.requestId, 'req_1')
  t.absent('cause' in new StarlingError('OVERLOADED', 'Too much'))
})

test('should be told apart by class and code when a value was caught', (t) => {
  const error = new StarlingError('PEER_LOST', 'gone')
  t.ok(isStarlingError(error))
  t.ok(isStarlingError(error, 'FORBIDDEN', 'PEER_LOST'))
  t.absent(isStarlingError(error, 'FORBIDDEN'))
  t.absent(isStarlingError({ code: 'PEER_LOST', message: 'a likeness' }))
  t.absent(isStarlingError(undefined))
})
