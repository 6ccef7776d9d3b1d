/** What one worker's network facility allows and how long it waits. Comes from the configuration. */
export interface NetworkLimits {
  /** How long the hello may take, in milliseconds. */
  readonly helloTimeoutMs: number
  /** Accepted connections that have not finished their hello, at most. */
  readonly maxUnverifiedConnections: number
  /** Accepted and proved connections, at most. */
  readonly maxConnections: number
  /** Streams that one peer may have open at once. */
  readonly maxStreamsPerConnection: number
  /** Unary calls that one peer may have under way at once. */
  readonly maxCallsPerConnection: number
  /** Chunks that the sender of a stream may be ahead of its reader. */
  readonly streamWindowChunks: number
  /** Between two heartbeats, in milliseconds. */
  readonly heartbeatIntervalMs: number
  /** Heartbeat intervals without a byte after which a peer counts as lost. */
  readonly heartbeatMissedLimit: number
}
