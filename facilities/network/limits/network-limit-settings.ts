/** What one worker's network facility allows and how long it waits. Comes from the configuration. */
export interface NetworkLimits {
  /** How long the hello may take, in milliseconds. */
  readonly helloTimeoutMs: number
  /** The most incoming connections that have not finished their hello. */
  readonly maxUnverifiedConnections: number
  /** The most incoming connections that are authenticated. */
  readonly maxConnections: number
  /** This and the other limits per key are those of a client; see `workerFactor` for workers. */
  readonly maxConnectionsPerKey: number
  /** Open streams of all peers together. */
  readonly maxStreams: number
  readonly maxStreamsPerKey: number
  /** Unary calls of all peers together that are being answered. */
  readonly maxCalls: number
  readonly maxCallsPerKey: number
  /** Bytes of all requests that are being answered. */
  readonly maxRequestBytes: number
  readonly maxRequestBytesPerKey: number
  /** Bytes written to connections and not yet taken by the peers. */
  readonly maxUnsentBytes: number
  readonly maxUnsentBytesPerKey: number
  /** Bytes of partly received frames, and of chunks of streams that are not read yet. */
  readonly maxUnreadBytes: number
  readonly maxUnreadBytesPerKey: number
  /** The fraction of each of these totals that is reserved for workers, 0 to 0.9. */
  readonly workerShare: number
  /** The limit of a worker's key, as a multiple of the limit of a client's key. */
  readonly workerFactor: number
  /** Chunks that the sender of a stream may be ahead of its reader. */
  readonly streamWindowChunks: number
  /** How long the chunks of a stream may wait to be sent together, in milliseconds; 0: not at all. */
  readonly gatherMs: number
  /** How long the sender of a stream waits for its reader, in milliseconds. */
  readonly stalledReaderTimeoutMs: number
  /** Between two heartbeats, in milliseconds. */
  readonly heartbeatIntervalMs: number
  /** Heartbeat intervals without a byte after which a peer counts as lost. */
  readonly heartbeatMissedLimit: number
}
