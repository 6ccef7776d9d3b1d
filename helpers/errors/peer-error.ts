import type { ErrorCode } from './error-codes.js'
import { StarlingError } from './starling-error.js'
import { toWireError, type WireError } from './wire-error.js'

/**
 * The messages that peers get instead of those for the operator of this worker, which may contain
 * paths, settings, or the message of a native library.
 */
const PUBLIC_MESSAGES: Partial<Record<ErrorCode, string>> = {
  BOOTSTRAP_UNAVAILABLE: 'The worker cannot reach its network',
  CONFIG_INVALID: 'The configuration of the worker is invalid',
  DISK_FAILED: 'The worker cannot write to its disk',
  DISK_FULL: 'The disk of the worker is full',
  ENGINE_CRASHED: 'The engine of the processor crashed',
  HOME_IN_USE: 'The home of the worker cannot be used',
  HOME_UNUSABLE: 'The home of the worker cannot be used',
  MESH_NOT_FOUND: 'The home of the worker cannot be used',
  INTERNAL: 'The worker failed while it handled the request',
  MODEL_INVALID: 'The model of the processor cannot be run',
  MODEL_UNSUPPORTED: 'The model of the processor cannot be run',
  MODEL_UNREACHABLE: 'The model of the processor cannot be fetched',
  MODEL_WRITE_FAILED: 'The model of the processor cannot be prepared',
  STORE_DAMAGED: 'The store of the worker cannot be used',
}

/** URLs with a scheme. */
const URLS = /\b[a-z][a-z\d+.-]*:\/\/[^\s"'`<>(),;]*[^\s"'`<>(),;.:]/gi

/** IP addresses with or without a port, and host names with a port. */
const HOSTS =
  /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]*:[\da-f:.]*\])(?::\d{1,5})?(?![\w.-]*\w)|(?<![\w.-])[a-z][\w.-]*:\d{4,5}(?!\w)/gi

/** File paths that start with `/`, `~/`, `./`, `../` or a drive letter. */
const PATHS =
  /(?<![^\s"'`(=:,])(?:(?:~|\.{1,2})?\/(?=[^\s"'`<>(),;:]*[\w~-][./])[^\s"'`<>(),;:]+|[a-z]:\\[^\s"'`<>(),;:]+)/gi

/** The message of an error for a peer, without internal details such as paths and addresses. */
export function publicMessage(code: ErrorCode, message: string): string {
  return PUBLIC_MESSAGES[code] ?? withoutAddresses(message)
}

/**
 * An error as it is sent to another worker: as {@link toWireError}, without paths of this machine and
 * addresses of servers that it uses.
 */
export function toPeerError(error: unknown, requestId?: string): WireError {
  const wire = toWireError(error, requestId)
  // The peer that sent it has already removed them.
  if (error instanceof StarlingError && error.isFromPeer) return wire
  return { ...wire, message: publicMessage(wire.code as ErrorCode, wire.message) }
}

/**
 * Replaces the addresses of servers and the file paths in a message by `[address]` and `[path]`. They
 * describe how a machine is set up and must not be sent to other workers.
 */
function withoutAddresses(text: string): string {
  return text.replace(URLS, '[address]').replace(HOSTS, '[address]').replace(PATHS, '[path]')
}
