/**
 * Sizes that both ends of a connection enforce. They are part of the protocol, not of the configuration: peers would
 * refuse a worker that raised one.
 */
export const PROTOCOL_LIMITS = {
  /** One hello: a certificate and a proof take about 900 bytes. */
  helloBytes: 4 * 1024,
  /** Everything a peer may send before its hello is accepted, framing included. */
  unverifiedBytes: 16 * 1024,
  /** One request or response of a unary call. */
  unaryBytes: 1024 * 1024,
  /** The message that opens a stream: a prompt and its envelope. */
  streamOpeningBytes: 2 * 1024 * 1024,
  /**
   * One frame of an encrypted connection: the largest message, which is the opening of a stream, plus the
   * overhead of the multiplexer and the encryption.
   */
  frameBytes: 2 * 1024 * 1024 + 4 * 1024,
  /** One message of a stream: its head, its chunks, its end or its error. */
  streamChunkBytes: 64 * 1024,
  /** All message contents of one conversation together, in UTF-8. */
  promptBytes: 1024 * 1024,
  /** Messages in one conversation. */
  promptMessages: 1024,
  /** Tokens in one answer. */
  answerTokens: 32_768,
  /** Functions that one request offers, or one answer calls. */
  tools: 128,
  /** The arguments of one function call, as JSON text. */
  toolArgumentsCharacters: 64 * 1024,
  /** A JSON schema, or all tools of a request together. */
  schemaBytes: 64 * 1024,
} as const
