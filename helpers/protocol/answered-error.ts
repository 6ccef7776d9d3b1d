import { type ErrorCode, isErrorCode } from '../errors/error-codes.js'
import { StarlingError } from '../errors/starling-error.js'
import { fromWireError, type WireError } from '../errors/wire-error.js'
import type { Role } from '../identity/roles.js'
import { type AnyStreamMethod, type AnyUnaryMethod, answererOf } from './method.js'

/** Any worker can fail with it. */
const ALL: readonly Role[] = ['auth', 'gateway', 'processor']
/** A processor, and a gateway that relays its answer. */
const PROCESSOR: readonly Role[] = ['processor', 'gateway']
/** An auth worker, and a gateway that relays its answer. */
const AUTH: readonly Role[] = ['auth', 'gateway']
const GATEWAY: readonly Role[] = ['gateway']
/** No request is answered with it: it belongs to the hello, or to this process alone. */
const NOBODY: readonly Role[] = []

/**
 * Which workers can fail with which error when they answer a request. Callers act on codes: a client
 * opens a new session at INVALID_CREDENTIAL, and tells its user what to do. So a code that its worker
 * has nothing to do with is not believed.
 */
const ANSWERED_BY = {
  INVALID_REQUEST: ALL,
  PAYLOAD_TOO_LARGE: ALL,
  UNKNOWN_METHOD: ALL,
  NOT_FOUND: NOBODY,
  METHOD_NOT_ALLOWED: NOBODY,
  BAD_USAGE: NOBODY,
  CONFIG_INVALID: PROCESSOR,
  INVALID_CREDENTIAL: AUTH,
  EMAIL_TAKEN: AUTH,
  NOT_LOGGED_IN: NOBODY,
  CLOCKS_DIFFER: GATEWAY,
  FORBIDDEN: ALL,
  CERTIFICATE_INVALID: NOBODY,
  CERTIFICATE_EXPIRED: NOBODY,
  VERSION_UNSUPPORTED: NOBODY,
  HELLO_FAILED: NOBODY,
  GATEWAY_NOT_FOUND: NOBODY,
  AUTH_UNAVAILABLE: GATEWAY,
  MODEL_UNAVAILABLE: PROCESSOR,
  PEER_UNREACHABLE: GATEWAY,
  PEER_LOST: GATEWAY,
  PROTOCOL_VIOLATION: GATEWAY,
  RATE_LIMITED: AUTH,
  OVERLOADED: ALL,
  DRAINING: ALL,
  DEADLINE_EXCEEDED: ALL,
  READER_STALLED: PROCESSOR,
  // Whoever ended the request knows of it without being told.
  CANCELLED: NOBODY,
  MODEL_NOT_FOUND: PROCESSOR,
  MODEL_INVALID: PROCESSOR,
  MODEL_UNSUPPORTED: PROCESSOR,
  MODEL_UNREACHABLE: PROCESSOR,
  MODEL_WRITE_FAILED: PROCESSOR,
  CONTEXT_TOO_LONG: PROCESSOR,
  MEMORY_INSUFFICIENT: PROCESSOR,
  GRAMMAR_INVALID: PROCESSOR,
  NOT_SUPPORTED: PROCESSOR,
  ENGINE_UNREACHABLE: PROCESSOR,
  ENGINE_DISPOSED: PROCESSOR,
  ENGINE_CRASHED: PROCESSOR,
  MESH_NOT_FOUND: NOBODY,
  HOME_UNUSABLE: ALL,
  HOME_IN_USE: NOBODY,
  STORE_DAMAGED: AUTH,
  DISK_FULL: ALL,
  DISK_FAILED: ALL,
  LIBRARY_MISSING: NOBODY,
  BOOTSTRAP_UNAVAILABLE: NOBODY,
  PORT_UNAVAILABLE: NOBODY,
  INTERNAL: ALL,
} satisfies Record<ErrorCode, readonly Role[]>

/**
 * The error that a method was answered with.
 *
 * @returns what the peer told of; PROTOCOL_VIOLATION when its role cannot fail with that code
 */
export function answeredError(
  method: AnyUnaryMethod | AnyStreamMethod,
  wire: WireError,
): StarlingError {
  const answerer = answererOf(method)
  if (!isErrorCode(wire.code) || canFailWith(answerer, wire.code)) return fromWireError(wire)
  return new StarlingError(
    'PROTOCOL_VIOLATION',
    `${method.name} was answered with ${wire.code}, which no ${answerer} can fail with`,
  )
}

/** What every worker answers, whatever its role, can fail with what all of them can fail with. */
function canFailWith(answerer: string, code: ErrorCode): boolean {
  const roles: readonly Role[] = ANSWERED_BY[code]
  return answerer === 'worker' ? roles === ALL : roles.some((role) => role === answerer)
}
