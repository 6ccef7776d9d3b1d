/** What an error code means to users and to programs. */
export interface ErrorDescription {
  /** The HTTP status of the same error. */
  readonly httpStatus: number
  /**
   * True if a program may send the same request again without asking its user, because it can succeed
   * later or on another worker. False if it would fail again, and if it may have done harm: a request
   * that crashed one engine may crash the next one.
   */
  readonly retryable: boolean
  /** What the user can do next. */
  readonly whatToDo: string
  /** A command that is appended to `whatToDo`. `adviceFor` adds the home. */
  readonly command?: string
}

/**
 * Every error code of Starling, in one table. Codes are part of the wire contract: a code is never
 * renamed or given another meaning, and callers decide by the code alone, never by a message.
 */
export const ERROR_CODES = {
  // Input
  INVALID_REQUEST: {
    httpStatus: 400,
    retryable: false,
    whatToDo: 'Correct the field that the message names.',
  },
  PAYLOAD_TOO_LARGE: {
    httpStatus: 413,
    retryable: false,
    whatToDo: 'Send less: the message names the limit.',
  },
  UNKNOWN_METHOD: {
    httpStatus: 404,
    retryable: false,
    whatToDo: 'Update the older of the two workers.',
  },
  NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    whatToDo: 'Correct the path of the URL.',
  },
  METHOD_NOT_ALLOWED: {
    httpStatus: 405,
    retryable: false,
    whatToDo: 'Use a method that the Allow header lists.',
  },
  BAD_USAGE: {
    httpStatus: 400,
    retryable: false,
    whatToDo: 'Run the command with --help, or type /help in a chat.',
  },
  CONFIG_INVALID: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Correct the key that the message names.',
  },

  // Accounts
  INVALID_CREDENTIAL: {
    httpStatus: 401,
    retryable: false,
    whatToDo: 'Log in again',
    command: 'node workers/client.js login --email YOUR_EMAIL',
  },
  EMAIL_TAKEN: {
    httpStatus: 409,
    retryable: false,
    whatToDo: 'Log in with this e-mail address, or register another one.',
  },
  NOT_LOGGED_IN: {
    httpStatus: 401,
    retryable: false,
    whatToDo: 'Register or log in',
    command: 'node workers/client.js register --email YOUR_EMAIL',
  },
  CLOCKS_DIFFER: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Synchronize the clocks of the machines to within a minute, and log in again.',
  },

  // Trust
  FORBIDDEN: {
    httpStatus: 403,
    retryable: false,
    whatToDo: 'Use a worker whose certificate has the role that this call requires.',
  },
  CERTIFICATE_INVALID: {
    httpStatus: 403,
    retryable: false,
    whatToDo: 'Start the worker with the home of the mesh that it belongs to.',
  },
  CERTIFICATE_EXPIRED: {
    httpStatus: 403,
    retryable: false,
    whatToDo: 'Restart the worker, which renews its certificate, and compare the clocks.',
  },
  VERSION_UNSUPPORTED: {
    httpStatus: 505,
    retryable: false,
    whatToDo: 'Update the older of the two workers.',
  },
  HELLO_FAILED: {
    httpStatus: 502,
    retryable: true,
    whatToDo: 'Try again; if it fails again, look at the log of the other worker.',
  },

  // Reaching a worker
  GATEWAY_NOT_FOUND: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Start a gateway with the same home',
    command: 'node workers/gateway.js',
  },
  AUTH_UNAVAILABLE: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Start an auth worker with the same home',
    command: 'node workers/auth.js',
  },
  MODEL_UNAVAILABLE: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Start a processor that serves the model',
    command: 'node workers/processor.js',
  },
  PEER_UNREACHABLE: {
    httpStatus: 502,
    retryable: true,
    whatToDo: 'Check that the other worker runs; it is dialled again automatically.',
  },
  PEER_LOST: {
    httpStatus: 502,
    retryable: true,
    whatToDo: 'Send the request again.',
  },
  PROTOCOL_VIOLATION: {
    httpStatus: 502,
    retryable: false,
    whatToDo: 'Update both workers; if it happens again, report it with both logs.',
  },

  // Load and time
  RATE_LIMITED: {
    httpStatus: 429,
    retryable: true,
    whatToDo:
      'Wait as long as the error says or raise a limit such as gateway.rateLimit.perMinute.',
  },
  OVERLOADED: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Try again after the time that the error names, or start another processor.',
  },
  DRAINING: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Send the request again: another worker takes it, or this one after its restart.',
  },
  DEADLINE_EXCEEDED: {
    httpStatus: 504,
    retryable: false,
    whatToDo: 'Allow more time, or ask for a shorter answer.',
  },
  READER_STALLED: {
    httpStatus: 408,
    retryable: false,
    whatToDo: 'Read the answer as it arrives, and ask again.',
  },
  CANCELLED: {
    httpStatus: 499,
    retryable: false,
    whatToDo: 'Nothing: the caller ended the request.',
  },

  // Engines and models
  MODEL_NOT_FOUND: {
    httpStatus: 404,
    retryable: false,
    whatToDo: 'Use a model name that the message lists, or the path or address of a GGUF file.',
  },
  MODEL_INVALID: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Run npm install again, or download the model file again: its content is wrong.',
  },
  MODEL_UNSUPPORTED: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Use a model of an architecture that llama.cpp knows, or update Starling.',
  },
  MODEL_UNREACHABLE: {
    httpStatus: 502,
    retryable: true,
    whatToDo: 'Check the address and the connection; the downloaded part is kept.',
  },
  MODEL_WRITE_FAILED: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Make room on the disk and check the permissions of the home.',
  },
  CONTEXT_TOO_LONG: {
    httpStatus: 400,
    retryable: false,
    whatToDo: 'Send a shorter prompt or conversation.',
  },
  MEMORY_INSUFFICIENT: {
    httpStatus: 507,
    retryable: false,
    whatToDo: 'Use a smaller model, fewer processor.slots or less processor.contextTokens.',
  },
  GRAMMAR_INVALID: {
    httpStatus: 400,
    retryable: false,
    whatToDo: 'Correct the JSON schema: the message says what cannot be used.',
  },
  NOT_SUPPORTED: {
    httpStatus: 501,
    retryable: false,
    whatToDo: 'Leave out what the message names, or ask a model of another engine.',
  },
  ENGINE_UNREACHABLE: {
    httpStatus: 502,
    retryable: true,
    whatToDo: 'Start the server that the processor uses, or correct its address: its log names it.',
  },
  ENGINE_DISPOSED: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Send the request again: another worker takes it.',
  },
  ENGINE_CRASHED: {
    httpStatus: 502,
    retryable: false,
    whatToDo: 'Send it at most once more; the log of the processor says why the engine ended.',
  },

  // This machine
  MESH_NOT_FOUND: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Use --home to name the home of a mesh, or start a mesh here',
    command: 'node workers/mesh.js',
  },
  HOME_UNUSABLE: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Do what the message says, or choose another home: --home DIR or STARLING_HOME.',
  },
  HOME_IN_USE: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Stop the worker that uses the folder, or choose another home.',
  },
  DISK_FULL: {
    httpStatus: 507,
    retryable: true,
    whatToDo: 'Make room on the disk that the message or the log of the worker names.',
  },
  DISK_FAILED: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Check the disk that the message or the log of the worker names.',
  },
  STORE_DAMAGED: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Do what the message says before you start the worker again: nothing was changed.',
  },
  LIBRARY_MISSING: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Install the library that the message names; on Debian: apt-get install libatomic1',
  },
  NOT_DISCOVERABLE: {
    httpStatus: 503,
    retryable: true,
    whatToDo: 'Stop what holds the bootstrap port, or set another network.bootstrapPort for all.',
  },
  BOOTSTRAP_UNAVAILABLE: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Free the port, or set network.bootstrapPort to another one for all workers.',
  },
  PORT_UNAVAILABLE: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Free the port, or choose another one.',
  },
  INTERNAL: {
    httpStatus: 500,
    retryable: false,
    whatToDo: 'Look for the request id in the log of the worker that answered.',
  },
} as const satisfies Record<string, ErrorDescription>

/** One of the codes of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES

/** Whether this version knows an error code. */
export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERROR_CODES, value)
}
