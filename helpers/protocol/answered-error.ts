import { type ErrorCode, isErrorCode } from '../errors/error-codes.js'
import { StarlingError } from '../errors/starling-error.js'
import { fromWireError, type WireError } from '../errors/wire-error.js'
import type { Role } from '../identity/roles.js'
import { type AnyStreamMethod, type AnyUnaryMethod, answererOf } from './method.js'

/** Any worker can answer with this code. */
const ALL: readonly Role[] = ['auth', 'gateway', 'processor']
/** Processors, and gateways that relay their answers. */
const PROCESSOR: readonly Role[] = ['processor', 'gateway']
/** Auth workers, and gateways that relay their answers. */
const AUTH: readonly Role[] = ['auth', 'gateway']
const GATEWAY: readonly Role[] = ['gateway']
/** Not an answer to a request: the code is used in the hello, or within one process only. */
const NOBODY: readonly Role[] = []

/**
 * Which roles can answer a request with which code. Callers act on codes: on INVALID_CREDENTIAL a client
 * opens a new session and may ask its user to log in. So a code is only accepted from workers whose role
 * can cause it.
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
  PROTOCOL_VIOLATION: ALL,
  RATE_LIMITED: AUTH,
  OVERLOADED: ALL,
  DRAINING: ALL,
  DEADLINE_EXCEEDED: ALL,
  READER_STALLED: PROCESSOR,
  // The caller itself cancels requests and needs no answer.
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
  HOME_UNUSABLE: ALL,
  HOME_IN_USE: NOBODY,
  MESH_NOT_FOUND: NOBODY,
  STORE_DAMAGED: AUTH,
  DISK_FULL: ALL,
  DISK_FAILED: ALL,
  LIBRARY_MISSING: NOBODY,
  NOT_DISCOVERABLE: NOBODY,
  BOOTSTRAP_UNAVAILABLE: NOBODY,
  PORT_UNAVAILABLE: NOBODY,
  INTERNAL: ALL,
} satisfies Record<ErrorCode, readonly Role[]>

/**
 * The error that a method was answered with.
 *
 * @returns the error as it was sent; PROTOCOL_VIOLATION if the role of the worker cannot cause its code
 */
export function answeredError(
  method: AnyUnaryMethod | AnyStreamMethod,
  wire: WireError,
): StarlingError {
  const answerer = answererOf(method)
  if (!isErrorCode(wire.code) || canFailWith(answerer, wire.code)) return fromWireError(wire)
  return new StarlingError(
    'PROTOCOL_VIOLATION',
    `${method.name} was answered with ${wire.code}, a code that the role ${answerer} cannot cause`,
  )
}

/** Methods that all workers answer are limited to the codes that all roles can cause. */
function canFailWith(answerer: string, code: ErrorCode): boolean {
  const roles: readonly Role[] = ANSWERED_BY[code]
  return answerer === 'worker' ? roles === ALL : roles.some((role) => role === answerer)
}
