import test from 'brittle'
import { ERROR_CODES } from '../../../../helpers/errors/error-codes.js'
import { answeredError } from '../../../../helpers/protocol/answered-error.js'
import { authProtocol } from '../../../../helpers/protocol/auth-protocol.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { processorProtocol } from '../../../../helpers/protocol/processor-protocol.js'
import { workerProtocol } from '../../../../helpers/protocol/worker-protocol.js'

const told = (code: string) => ({ code, message: 'its words', retryAfterMs: 600_000 })

test('should pass on what a worker of that role can fail with', (t) => {
  for (const [method, code] of [
    [authProtocol.login, 'INVALID_CREDENTIAL'],
    [gatewayProtocol.login, 'INVALID_CREDENTIAL'],
    [gatewayProtocol.infer, 'RATE_LIMITED'],
    [gatewayProtocol.infer, 'CONTEXT_TOO_LONG'],
    [processorProtocol.generate, 'CONTEXT_TOO_LONG'],
    [processorProtocol.generate, 'OVERLOADED'],
    [workerProtocol.info, 'OVERLOADED'],
  ] as const) {
    const error = answeredError(method, told(code))
    t.is(error.code, code, method.name)
    t.is(error.message, 'its words')
    t.is(error.retryAfterMs, 600_000)
    t.ok(error.isFromPeer)
  }
})

test('should be PROTOCOL_VIOLATION when no worker of that role can fail with it', (t) => {
  for (const [method, code] of [
    [processorProtocol.generate, 'INVALID_CREDENTIAL'],
    [processorProtocol.generate, 'NOT_LOGGED_IN'],
    [processorProtocol.generate, 'RATE_LIMITED'],
    [processorProtocol.load, 'EMAIL_TAKEN'],
    [gatewayProtocol.infer, 'BAD_USAGE'],
    [gatewayProtocol.infer, 'NOT_LOGGED_IN'],
    [gatewayProtocol.infer, 'CANCELLED'],
    [authProtocol.login, 'ENGINE_CRASHED'],
    [workerProtocol.info, 'INVALID_CREDENTIAL'],
  ] as const) {
    const error = answeredError(method, told(code))
    t.is(error.code, 'PROTOCOL_VIOLATION', `${method.name}, ${code}`)
    t.ok(error.message.includes(code))
    t.absent(error.message.includes('its words'), 'nothing that the peer chose')
    t.is(error.retryAfterMs, undefined)
  }
})

test('should let a gateway pass on whatever those behind it can fail with', (t) => {
  for (const code of Object.keys(ERROR_CODES)) {
    const isPassedOn = (method: typeof gatewayProtocol.infer | typeof processorProtocol.load) =>
      answeredError(method, told(code)).code === code
    if (isPassedOn(processorProtocol.load)) t.ok(isPassedOn(gatewayProtocol.infer), code)
  }
})

test('should be INTERNAL when the code is one of a later version', (t) => {
  t.is(answeredError(processorProtocol.generate, told('MODEL_TIRED')).code, 'INTERNAL')
})
