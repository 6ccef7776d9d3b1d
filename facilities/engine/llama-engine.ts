import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { GenerationEnd, Token } from '../../helpers/protocol/generation.js'
import type { Clock } from '../clock/clock.js'
import type { Engine, EngineInfo, EngineStatus, GenerateRequest } from './engine.js'
import type { EngineProgress, GpuChoice, LoadMessage } from './llama-messages.js'
import { LlamaProcess, type LoadedModel } from './llama-process.js'

/**
 * How many tokens the model may be ahead of the reader. Enough to keep it busy while a message
 * travels, few enough that a reader who stops stops it soon.
 */
export const TOKENS_AHEAD = 8

/** How many are taken before more are allowed: half of the window, so that it never runs empty. */
const GRANT_TOKENS = TOKENS_AHEAD / 2

/** The wait before the second restart in a row; doubled for each one after it. */
const RESTART_DELAY_MS = 250
const MAX_RESTART_DELAY_MS = 10_000

/** How a {@link LlamaEngine} is set up. */
export interface LlamaEngineOptions {
  /** The name that requests ask for. Default: what the model cache calls the model. */
  readonly name?: string
  /** What is loaded: a name that the model cache knows, or the path of a GGUF file. */
  readonly model: string
  /** Where prepared models are kept. */
  readonly modelsDirectory: string
  /** Answers side by side. Default 4. */
  readonly slots?: number
  /**
   * Prompt and answer together, in tokens, for each slot. At most what the model was trained for
   * is used. Default 2048.
   */
  readonly contextTokens?: number
  /** Threads to compute with. `auto` (the default) decides by the size of the model file. */
  readonly threads?: number | 'auto'
  /** Default `auto`: the best that works on this machine. */
  readonly gpu?: GpuChoice
  readonly clock: Clock
  /** Called with what the engine's process writes, a line at a time: for the debug log. */
  readonly onLog?: (line: string) => void
  /** Called while the model is being prepared and loaded. */
  readonly onProgress?: (progress: EngineProgress) => void
  /** Called when the engine's process ended unexpectedly. */
  readonly onCrash?: (error: StarlingError) => void
}

/**
 * llama.cpp, in a process of its own: a model file that aborts the process it is loaded in, or a
 * crash while computing, costs the answers that ran and nothing else. The next request starts the
 * process again.
 *
 * @example
 * const engine = new LlamaEngine({ model: '/models/tiny.gguf', modelsDirectory, clock })
 * await engine.ready()
 * for await (const token of engine.generate({ messages, options }, signal)) write(token.text)
 */
export class LlamaEngine implements Engine {
  readonly #options: LlamaEngineOptions
  readonly #closing = new AbortController()
  /** The process that is starting or runs; null before the first and after a crash. */
  #process: LlamaProcess | null = null
  #starting: Promise<LlamaProcess> | null = null
  #loaded: LoadedModel | null = null
  /** Crashes and failed starts since the last answer that was completed. */
  #failures = 0
  #isRunning = false
  #starts = 0

  constructor(options: LlamaEngineOptions) {
    this.#options = options
  }

  /** The id of the engine's process; null while there is none. */
  get processId(): number | null {
    return this.#process?.pid ?? null
  }

  /**
   * Starts the process, prepares the model if it has to be, and loads it. After a failure, the next
   * call tries again.
   *
   * @throws StarlingError MODEL_NOT_FOUND, MODEL_INVALID, MODEL_WRITE_FAILED, CONFIG_INVALID,
   *   ENGINE_CRASHED, or DRAINING once closed
   */
  async ready(): Promise<void> {
    await this.#running()
  }

  info(): EngineInfo {
    if (this.#loaded === null) {
      throw new StarlingError('INTERNAL', 'The engine was asked what it is before it was ready')
    }
    return {
      kind: 'llama.cpp',
      model: this.#options.name ?? this.#loaded.name,
      modelSha256: this.#loaded.sha256,
      contextTokens: this.#loaded.contextTokens,
      slots: this.#loaded.slots,
    }
  }

  status(): EngineStatus {
    const restarts = Math.max(0, this.#starts - 1)
    if (this.#isRunning) return { state: 'running', restarts }
    return { state: this.#starting === null ? 'stopped' : 'starting', restarts }
  }

  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    if (signal.aborted) throw cancelledError(signal)
    const process = await unlessCancelled(this.#running(), signal)
    const { id, inbox } = process.open(request, TOKENS_AHEAD)
    const onAbort = () => {
      inbox.fail(cancelledError(signal))
      process.cancel(id)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for (let taken = 1; ; taken++) {
        const item = await inbox.take()
        if ('end' in item) {
          this.#failures = 0
          return item.end
        }
        if (taken % GRANT_TOKENS === 0) process.grant(id, GRANT_TOKENS)
        yield item
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      process.cancel(id)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#process?.close()
  }

  /** The process with its model loaded; started when there is none, by whoever asks first. */
  #running(): Promise<LlamaProcess> {
    this.#starting ??= this.#start()
    return this.#starting
  }

  async #start(): Promise<LlamaProcess> {
    try {
      await this.#restartDelay()
      if (this.#closing.signal.aborted) throw closedError()
      this.#starts += 1
      let running = false
      const process = new LlamaProcess({
        clock: this.#options.clock,
        onLog: (line) => this.#options.onLog?.(line),
        onProgress: (progress) => this.#options.onProgress?.(progress),
        onCrash: (error) => {
          // While it starts, the start itself fails.
          if (running) this.#forget()
          this.#options.onCrash?.(error)
        },
      })
      this.#process = process
      try {
        this.#loaded = await process.load(this.#loadMessage())
        running = true
        this.#isRunning = true
        return process
      } catch (error) {
        await process.close()
        throw error
      }
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  #forget(): void {
    this.#failures += 1
    this.#isRunning = false
    this.#process = null
    this.#starting = null
  }

  /** The first restart is immediate; each one in a row after it waits twice as long. */
  async #restartDelay(): Promise<void> {
    if (this.#failures < 2) return
    const delayMs = Math.min(RESTART_DELAY_MS * 2 ** (this.#failures - 2), MAX_RESTART_DELAY_MS)
    try {
      await this.#options.clock.sleep(delayMs, this.#closing.signal)
    } catch {
      // Closed meanwhile, which the caller looks at next.
    }
  }

  #loadMessage(): LoadMessage {
    const { model, modelsDirectory, slots, contextTokens, threads, gpu } = this.#options
    return {
      kind: 'load',
      model,
      modelsDirectory,
      slots: slots ?? 4,
      contextTokens: contextTokens ?? 2048,
      threads: threads ?? 'auto',
      gpu: gpu ?? 'auto',
    }
  }
}

function cancelledError(signal: AbortSignal): StarlingError {
  return new StarlingError('CANCELLED', 'The answer was cancelled', { cause: signal.reason })
}

function closedError(): StarlingError {
  return new StarlingError('DRAINING', 'The engine is closed')
}

/** @throws StarlingError CANCELLED as soon as the signal is aborted */
async function unlessCancelled<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  return await new Promise<Result>((resolve, reject) => {
    const onAbort = () => reject(cancelledError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
