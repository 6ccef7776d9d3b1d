import type { ChatMessage, Tool } from '../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Reproducibility, Token } from '../../helpers/protocol/generation.js'
import type { GenerationOptions } from '../../helpers/protocol/generation-options.js'

/**
 * What not every engine can do.
 *
 * `chat`: generate. `embed`: embed. `tokens`: tokenize and detokenize, and the ids of an answer's
 * tokens. `template`: applyTemplate. `resume`: resumeFrom. `thinking`: tell the thought of a model from
 * its answer. The others are options of a generation.
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
  /** The name that requests ask for. */
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
  /** Answers that it produces side by side. */
  readonly slots: number
  /** The estimated memory of this machine that the loaded model takes, in bytes; 0 if it runs elsewhere. */
  readonly memoryBytes: number
}

/** The state of an engine that runs in a process of its own. */
export interface EngineStatus {
  /** `stopped` after a crash, until the next request; before the first start and unloaded, too. */
  readonly state: 'stopped' | 'starting' | 'running'
  /** Times that it was started again after a crash. */
  readonly restarts: number
}

/** A conversation to be answered. */
export interface GenerateRequest {
  readonly messages: readonly ChatMessage[]
  /** Options that are left out take the defaults of the model. */
  readonly options: GenerationOptions
  /**
   * The ids of the answer's tokens that were delivered already, from its first one: the answer goes
   * on after them. Left out: from the beginning.
   */
  readonly resumeFrom?: readonly number[] | undefined
}

/** A conversation as a model reads it, ending where its answer begins. */
export interface TemplatedPrompt {
  readonly text: string
  readonly tokens: readonly number[]
}

/**
 * Runs one language model. Engines are interchangeable: their users know only this interface, and
 * tests/integration/engine/compliance tests all of them against it.
 *
 * Every method but `info`, `status` and `dispose` loads the model first when it is not loaded. What
 * an engine cannot do fails with NOT_SUPPORTED, and whatever is asked after `dispose` with
 * ENGINE_DISPOSED.
 */
export interface Engine {
  /**
   * Makes the model's file ready to be loaded: fetches it if necessary and reads its header. Takes no
   * memory for the model yet; {@link unload} frees what it does take. Later calls wait for the first.
   *
   * @returns the estimated memory of this machine that the loaded model takes, in bytes
   * @throws StarlingError as {@link load}
   */
  prepare(): Promise<number>
  /**
   * Loads the model, after preparing it; does nothing when it is loaded. Later calls wait for the first.
   *
   * @param signal ends the wait; the load itself continues for other callers
   * @throws StarlingError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, MODEL_UNREACHABLE,
   *   MODEL_WRITE_FAILED, MEMORY_INSUFFICIENT, OVERLOADED if the file changed since `prepare` and needs
   *   more memory, ENGINE_UNREACHABLE, ENGINE_CRASHED, CANCELLED
   */
  load(signal?: AbortSignal): Promise<void>
  /** Frees the model. What is under way ends with DRAINING; the next request loads it again. */
  unload(): Promise<void>
  /** Valid from the first load on. @throws StarlingError INTERNAL before it */
  info(): EngineInfo
  /**
   * Limits the threads that it computes with, from the next evaluation on. Left out by an engine that
   * computes on another server.
   */
  limitThreads?(threads: number): void
  /** Left out by an engine that cannot crash apart from its worker. */
  status?(): EngineStatus
  /**
   * The tokens of a text. What looks like a special token in it is plain text.
   *
   * @throws StarlingError PAYLOAD_TOO_LARGE above 1 MiB of UTF-8
   */
  tokenize(text: string): Promise<readonly number[]>
  /**
   * The text of tokens; special ones have none, and bytes that are no character become U+FFFD.
   *
   * @throws StarlingError INVALID_REQUEST when a number is not one of the model's tokens
   */
  detokenize(tokens: readonly number[]): Promise<string>
  /**
   * A conversation as the model was trained to read it.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST when the template refuses it
   */
  applyTemplate(messages: readonly ChatMessage[], tools?: readonly Tool[]): Promise<TemplatedPrompt>
  /**
   * Answers a conversation token by token, each computed when it is asked for (an engine may work a
   * bounded number of tokens ahead). Ends with the generation's summary as its return value.
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
   * The meaning of each text as a vector of length 1; texts of like meaning have a large scalar
   * product.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST, ENGINE_CRASHED, CANCELLED
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>
  /** Ends all work and frees everything, for good. */
  dispose(): Promise<void>
}
