import { z } from 'zod'
import { DEFAULT_HOME } from '../helpers/errors/advice.js'
import { PROTOCOL_LIMITS } from '../helpers/protocol/limits.js'
import { MAX_OFFERED_MODELS } from '../helpers/protocol/processor-protocol.js'
import {
  hasExcessivePort,
  MAX_PORT,
  readServerAddress,
} from '../helpers/upstream/server-address.js'

const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS
const MEBIBYTE = 1024 * 1024
const GIBIBYTE = 1024 * MEBIBYTE

const PORT_TOO_HIGH = `the highest port is ${MAX_PORT}`
const port = z.number().int().min(1).max(MAX_PORT, PORT_TOO_HIGH)
const intervalMs = z.number().int().min(10).max(HOUR_MS)
const count = z.number().int().min(1).max(1_000_000)
/** Room for at least one of the largest messages. */
const bytes = z
  .number()
  .int()
  .min(PROTOCOL_LIMITS.frameBytes)
  .max(1024 * GIBIBYTE)

/** How a worker takes part in the mesh. */
const networkSchema = z.strictObject({
  /** The UDP port on 127.0.0.1 of the DHT node through which the workers of one machine find each other. */
  bootstrapPort: port.default(28_737),
  /** How often workers check that a node listens on that port. */
  bootstrapWatchIntervalMs: intervalMs.default(500),
  /**
   * A new bootstrap node has no records, so workers are not found for this long after the old one has
   * ended.
   */
  announceIntervalMs: intervalMs.default(2 * SECOND_MS),
  lookupIntervalMs: intervalMs.default(SECOND_MS),
  /** How long a worker that shuts down waits for its requests to end. */
  drainTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(HOUR_MS)
    .default(10 * SECOND_MS),
  /** A hello takes milliseconds. A peer that needs seconds is unreachable or hostile. */
  helloTimeoutMs: intervalMs.default(3 * SECOND_MS),
  /**
   * An unverified connection costs about 25 KB. Within the 300 ms in which none is cut, one core accepts
   * fewer than this many.
   */
  maxUnverifiedConnections: count.default(1024),
  maxConnections: count.default(1024),
  /** All client commands of a home share one key. */
  maxConnectionsPerKey: count.default(32),
  maxStreams: count.default(8192),
  maxStreamsPerKey: count.default(256),
  maxCalls: count.default(8192),
  maxCallsPerKey: count.default(256),
  maxRequestBytes: bytes.default(256 * MEBIBYTE),
  maxRequestBytesPerKey: bytes.default(8 * MEBIBYTE),
  maxUnsentBytes: bytes.default(256 * MEBIBYTE),
  maxUnsentBytesPerKey: bytes.default(16 * MEBIBYTE),
  maxUnreadBytes: bytes.default(64 * MEBIBYTE),
  maxUnreadBytesPerKey: bytes.default(8 * MEBIBYTE),
  /** The fraction of each of these totals that is reserved for workers. */
  workerShare: z.number().min(0).max(0.9).default(0.25),
  /** The limit of a worker's key as a multiple of that of a client's key: a gateway acts for many clients. */
  workerFactor: z.number().int().min(1).max(1000).default(4),
  /** Chunks that the sender of a stream may be ahead of its reader. */
  streamWindowChunks: z.number().int().min(1).max(4096).default(64),
  /**
   * How long a token may wait for the next ones to be sent together with them, after the first token of its
   * answer. A message costs more than a token, and nobody reads one of 8 ms later. 0: not at all.
   */
  gatherMs: z.number().int().min(0).max(100).default(8),
  /**
   * How long an answer, which occupies a slot, waits for its reader. Reading `streamWindowChunks` chunks
   * restores all of this time.
   */
  stalledReaderTimeoutMs: intervalMs.default(30 * SECOND_MS),
  heartbeatIntervalMs: intervalMs.default(500),
  /** After three missed heartbeats, 1.5 s, a peer is lost. */
  heartbeatMissedLimit: z.number().int().min(1).max(100).default(3),
})

const authSchema = z.strictObject({
  sessionLifetimeMs: z
    .number()
    .int()
    .min(60 * SECOND_MS)
    .max(720 * HOUR_MS)
    .default(12 * HOUR_MS),
  /** Each takes 19 MiB and a core for about 20 ms. */
  maxConcurrentHashes: z.number().int().min(1).max(64).default(2),
  /** Logins that are queued, and as many registrations: about a second's worth of each. */
  maxWaitingHashes: z.number().int().min(0).max(10_000).default(64),
  /** Of each kind for one client, so that no client fills the queue. */
  maxWaitingHashesPerClient: count.default(8),
})

/** The rate limit of each user at one gateway. */
const rateLimitSchema = z.strictObject({
  /** 0 sets no limit. */
  perMinute: z.number().int().min(0).max(1_000_000).default(10),
  /** How many of them may come at once. Default: `perMinute`. */
  burst: count.optional(),
  /** Users that are counted at the same time; each takes about 200 bytes. */
  maxUsers: count.default(100_000),
})

const gatewaySchema = z.strictObject({
  /** How often each processor is asked for its load. */
  loadIntervalMs: intervalMs.default(500),
  /** For requests that name no model. Default: the model that is first on most processors. */
  defaultModel: z.string().min(1).max(200).optional(),
  rateLimit: rateLimitSchema.prefault({}),
  /**
   * Answers that one user may have in progress at the same time. `auto`: per model, the slots of the
   * processors that serve it minus one, but at least one. A number: for all models together.
   */
  answersPerUser: z.union([z.literal('auto'), count]).default('auto'),
  /** Per client, which is a public key. A person needs one; 0 sets no limit. */
  registrationsPerHour: z.number().int().min(0).max(1_000_000).default(10),
  /** Per client. All commands of a home are one client; 0 sets no limit. */
  loginsPerMinute: z.number().int().min(0).max(1_000_000).default(30),
  /** Clients that are counted at the same time, for each limit; each takes about 200 bytes. */
  maxCountedClients: count.default(100_000),
  /** All message contents of one conversation together, in UTF-8. */
  maxPromptBytes: z
    .number()
    .int()
    .min(1)
    .max(PROTOCOL_LIMITS.promptBytes)
    .default(PROTOCOL_LIMITS.promptBytes),
  /** Messages in one conversation. */
  maxPromptMessages: z
    .number()
    .int()
    .min(1)
    .max(PROTOCOL_LIMITS.promptMessages)
    .default(PROTOCOL_LIMITS.promptMessages),
})

const modelName = z.string().min(1).max(4096)
const hubUrl = z
  .url({
    protocol: /^https?$/,
    error: ({ input }) =>
      hasExcessivePort(String(input)) ? PORT_TOO_HIGH : 'not the address of an HTTP server',
  })
  .max(2048)
/** `host`, `host:port` or a whole address. */
const serverAddress = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const reading = readServerAddress(text)
    if ('address' in reading) return
    const message = `the address ${reading.why}; write host:port or http://host:port`
    context.addIssue({ code: 'custom', message })
  })

/** An Ollama server whose models are served. */
const ollamaSchema = z.strictObject({
  /** Default: `OLLAMA_HOST`, or 127.0.0.1:11434. */
  url: serverAddress.optional(),
  /** Default: all models that the server has when the processor starts. */
  models: z.array(modelName).min(1).max(MAX_OFFERED_MODELS).optional(),
})

/** A server with an OpenAI-compatible API whose models are served. */
const openaiSchema = z.strictObject({
  /** With the version in its path, if it has one: `http://127.0.0.1:8000/v1`. */
  url: serverAddress.optional(),
  apiKey: z.string().min(1).max(4096).optional(),
  /** Default: all models that the server has when the processor starts. */
  models: z.array(modelName).min(1).max(MAX_OFFERED_MODELS).optional(),
})

const processorSchema = z.strictObject({
  /**
   * What runs the models: llama.cpp here, or servers that run already. Left out: llama.cpp, and if no
   * models are set either, before it an Ollama server that is found on this machine.
   */
  engines: z
    .array(z.enum(['llama', 'ollama', 'openai']))
    .min(1)
    .max(3)
    .optional(),
  /**
   * The models that llama.cpp runs: names from the catalogue, paths, addresses. The first is loaded at
   * the start, the others on request. Default: the default model.
   */
  models: z.array(modelName).min(1).max(MAX_OFFERED_MODELS).optional(),
  /** Whether to look for an Ollama server on this machine if neither engines nor models are set. */
  findOllama: z.boolean().default(true),
  /** The hub that `hf:` refers to. */
  hubUrl: hubUrl.default('https://huggingface.co'),
  /** Authenticates requests to the hub, for models that are not public. */
  hubToken: z.string().min(1).max(4096).optional(),
  ollama: ollamaSchema.prefault({}),
  openai: openaiSchema.prefault({}),
  /** Answers that are produced at the same time. */
  slots: z.number().int().min(1).max(64).default(4),
  /** Requests that may be queued for a slot; further ones are refused. */
  queueLength: z.number().int().min(0).max(10_000).default(64),
  /** Prompt and answer together, for each slot. */
  contextTokens: z.number().int().min(64).max(1_048_576).default(4096),
  /**
   * The threads of all processors of one home together. `auto`: as many as the machine has, and for each
   * model as many as are fastest, measured when it is first loaded.
   */
  threads: z.union([z.literal('auto'), z.number().int().min(1).max(1024)]).default('auto'),
  /** Where llama.cpp computes: `auto` is the best device that works, false the CPU only. */
  gpu: z.union([z.enum(['auto', 'cuda', 'vulkan', 'metal']), z.literal(false)]).default('auto'),
  /** Layers on the GPU; `auto`: as many as fit. */
  gpuLayers: z.union([z.literal('auto'), z.number().int().min(0).max(10_000)]).default('auto'),
  /** About how long answers may pause while another prompt is evaluated. */
  maxStallMs: z.number().int().min(1).max(60_000).default(50),
  /**
   * Whether an answer may continue when it only repeats itself. If not, it is stopped early. A request can
   * override this.
   */
  allowRepetition: z.boolean().default(false),
  /**
   * The memory of all loaded models of all processors of one home; `auto`: four fifths of what is
   * available when the first of them starts.
   */
  memoryMebibytes: z
    .union([z.literal('auto'), z.number().int().min(1).max(16_777_216)])
    .default('auto'),
})

const clientSchema = z.strictObject({
  /** How long a command waits for workers that are not running yet. */
  waitMs: z
    .number()
    .int()
    .min(0)
    .max(HOUR_MS)
    .default(15 * SECOND_MS),
})

const meshSchema = z.strictObject({
  processors: z.number().int().min(1).max(64).default(1),
})

/** Where a worker serves health and metrics by HTTP. */
const metricsSchema = z.strictObject({
  /** A TCP port for /healthz, /readyz and /metrics; 0 opens none. */
  port: z.number().int().min(0).max(MAX_PORT, PORT_TOO_HIGH).default(0),
  /** The address to listen on. Everyone who can reach it can read the metrics. */
  host: z.string().min(1).max(255).default('127.0.0.1'),
})

/** The configuration, with all defaults. */
export const configSchema = z.strictObject({
  /** The folder of the mesh. Workers that share it belong to the same mesh. */
  home: z.string().min(1).default(DEFAULT_HOME),
  /** Default: `info`; for clients, `warn`. */
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).optional(),
  /** Output for programs: one JSON object per line. */
  json: z.boolean().default(false),
  network: networkSchema.prefault({}),
  metrics: metricsSchema.prefault({}),
  auth: authSchema.prefault({}),
  gateway: gatewaySchema.prefault({}),
  processor: processorSchema.prefault({}),
  client: clientSchema.prefault({}),
  mesh: meshSchema.prefault({}),
})

export type Config = z.infer<typeof configSchema>

/** A part of the configuration, from one source. Not validated. */
export interface PartialConfig {
  [key: string]: unknown
}
