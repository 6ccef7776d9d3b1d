import type {
  ChatMessage,
  GenerationEnd,
  GenerationOptions,
  Token,
} from '../../helpers/protocol/generation.js'

/** What an engine is and what it can promise. */
export interface EngineInfo {
  /** The family: `llama.cpp`, `scripted`. */
  readonly kind: string
  /** The name that requests ask for. */
  readonly model: string
  /** SHA-256 of the model file, hexadecimal; null where there is no file. */
  readonly modelSha256: string | null
  /** Prompt and answer together, in tokens. */
  readonly contextTokens: number
  /** Answers that it produces side by side. */
  readonly slots: number
}

/** How an engine is that runs in a process of its own. */
export interface EngineStatus {
  /** `stopped` after a crash, until the next request; before the first start, too. */
  readonly state: 'stopped' | 'starting' | 'running'
  /** Times that it was started again after a crash. */
  readonly restarts: number
}

/** A conversation to be answered. */
export interface GenerateRequest {
  readonly messages: readonly ChatMessage[]
  readonly options: GenerationOptions
}

/**
 * Something that runs a language model. Engines are interchangeable: whoever uses one knows this
 * interface only.
 */
export interface Engine {
  /** Loads the model. Later calls wait for the first. */
  ready(): Promise<void>
  /** Valid once ready. */
  info(): EngineInfo
  /** Left out by an engine that cannot crash apart from its worker. */
  status?(): EngineStatus
  /**
   * Answers a conversation token by token, each computed when it is asked for (an engine may work a
   * bounded number of tokens ahead). Ends with the generation's summary as its return value.
   *
   * @param signal ends the work at once; the generator then throws CANCELLED
   * @throws StarlingError CONTEXT_TOO_LONG, ENGINE_CRASHED, CANCELLED
   */
  generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void>
  /** Ends all work and frees the model. */
  close(): Promise<void>
}
