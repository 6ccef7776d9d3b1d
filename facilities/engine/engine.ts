import type { ChatMessage, Tool } from '../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Reproducibility, Token } from '../../helpers/protocol/generation.js'
import type { GenerationOptions } from '../../helpers/protocol/generation-options.js'

/**
 * Optional capabilities of an engine.
 *
 * `chat`: generate. `embed`: embed. `tokens`: tokenize and detokenize, and the ids of an answer's
 * tokens. `template`: applyTemplate. `resume`: resumeFrom. `thinking`: separate the thought of a model from
 * its answer. The others are generation options.
 */
export const ENGINE_CAPABILITIES = [
  'chat',
  'embed',
  'tokens',
  'template',
  'resume',
  'seed',
  'logit-bias',
  'logprobs',
  'dry',
  'json-schema',
  'tools',
  'thinking',
] as const

export type EngineCapability = (typeof ENGINE_CAPABILITIES)[number]

/** Properties and guarantees of an engine. */
export interface EngineInfo {
  /** The family: `llama.cpp`, `ollama`, `openai`, `scripted`. */
  readonly kind: string
  /** The model name in requests. */
  readonly model: string
  /** SHA-256 of the model file, hexadecimal; null where there is no file. */
  readonly modelSha256: string | null
  /**
   * SHA-256 over everything that answers depend on: the model, its recommended sampling, the build and
   * the backend. Hexadecimal; null if they are unknown.
   */
  readonly fingerprint: string | null
  /** `exact` holds for all engines of the same fingerprint, and is tested when the model is loaded. */
  readonly reproducibility: Reproducibility
  readonly capabilities: ReadonlySet<EngineCapability>
  /** Prompt and answer together, in tokens. */
  readonly contextTokens: number
  /** The number of concurrent answers. */
  readonly slots: number
  /** The estimated memory of this machine that the loaded model takes, in bytes; 0 if it runs elsewhere. */
  readonly memoryBytes: number
}

/** The state of an engine that runs in its own process. */
export interface EngineStatus {
  /** `stopped` after a crash, until the next request; also before the first start and while unloaded. */
  readonly state: 'stopped' | 'starting' | 'running'
  /** The number of restarts after crashes. */
  readonly restarts: number
}

/** A request for an answer to a conversation. */
export interface GenerateRequest {
  readonly messages: readonly ChatMessage[]
  /** Omitted options have the defaults of the model. */
  readonly options: GenerationOptions
  /**
   * The ids of the answer's tokens that were already delivered, from the first one: the answer continues
   * after them. Omitted: it starts at the beginning.
   */
  readonly resumeFrom?: readonly number[] | undefined
}

/** A conversation in the prompt format of a model. It ends where the answer begins. */
export interface TemplatedPrompt {
  readonly text: string
  readonly tokens: readonly number[]
}

/**
 * Runs one language model. Engines are interchangeable: callers use only this interface, and
 * tests/integration/engine/compliance tests all engines against it.
 *
 * Every method but `info`, `status` and `dispose` loads the model first if it is not loaded. A call fails
 * with NOT_SUPPORTED if the engine lacks the capability, and with ENGINE_DISPOSED after `dispose`.
 */
export interface Engine {
  /**
   * Prepares the model file for loading: fetches it if necessary and reads its header. Does not allocate
   * memory for the model; {@link unload} frees what it allocates. Later calls wait for the first.
   *
   * @returns the estimated memory of this machine that the loaded model takes, in bytes
   * @throws StarlingError as {@link load}
   */
  prepare(): Promise<number>
  /**
   * Prepares and loads the model; does nothing if it is loaded. Later calls wait for the first.
   *
   * @param signal ends the wait; the load itself continues for other callers
   * @throws StarlingError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, MODEL_UNREACHABLE,
   *   MODEL_WRITE_FAILED, MEMORY_INSUFFICIENT, OVERLOADED if the file changed since `prepare` and needs
   *   more memory, ENGINE_UNREACHABLE, ENGINE_CRASHED, CANCELLED
   */
  load(signal?: AbortSignal): Promise<void>
  /** Frees the model. Requests in progress end with DRAINING; the next request loads it again. */
  unload(): Promise<void>
  /** Valid after the first load. @throws StarlingError INTERNAL before that */
  info(): EngineInfo
  /**
   * Limits the number of compute threads, from the next evaluation on. Omitted by an engine that computes on
   * another server.
   */
  limitThreads?(threads: number): void
  /** Omitted by an engine that cannot crash independently of its worker. */
  status?(): EngineStatus
  /**
   * The tokens of a text. Special tokens in it are treated as plain text.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE above 1 MiB of UTF-8
   */
  tokenize(text: string): Promise<readonly number[]>
  /**
   * The text of tokens. Special tokens have none; invalid UTF-8 becomes U+FFFD.
   *
   * @throws StarlingError INVALID_REQUEST if a number is not a token id of the model
   */
  detokenize(tokens: readonly number[]): Promise<string>
  /**
   * Formats a conversation with the chat template of the model.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST if the template refuses it
   */
  applyTemplate(messages: readonly ChatMessage[], tools?: readonly Tool[]): Promise<TemplatedPrompt>
  /**
   * Generates an answer token by token, each computed on demand (an engine may compute a limited number of
   * tokens ahead). The return value is the summary of the generation.
   *
   * @param signal ends the work at once; the generator then throws CANCELLED
   * @throws StarlingError INVALID_REQUEST, CONTEXT_TOO_LONG, GRAMMAR_INVALID, NOT_SUPPORTED,
   *   OVERLOADED, DRAINING, ENGINE_CRASHED, ENGINE_UNREACHABLE, CANCELLED
   */
  generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void>
  /**
   * The embedding of each text, a vector of length 1. Texts of similar meaning have a large dot product.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST, ENGINE_CRASHED, CANCELLED
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>
  /** Ends all work and frees everything, permanently. */
  dispose(): Promise<void>
}
