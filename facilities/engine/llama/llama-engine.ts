import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { decodeVector } from '../../../helpers/generation/vectors.js'
import { parseModelReference } from '../../../helpers/models/model-reference.js'
import type { ChatMessage, Tool } from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { retryDelayMs } from '../../../helpers/routing/retry-delay.js'
import { unlessAborted } from '../../clock/bounded-wait.js'
import { type Random, SystemRandom } from '../../clock/random.js'
import type {
  Engine,
  EngineInfo,
  EngineStatus,
  GenerateRequest,
  TemplatedPrompt,
} from '../engine.js'
import { cancelledError } from '../engine-cancelled.js'
import { SchemaRefusals } from './crash-attribution.js'
import type { LlamaEngineOptions } from './llama-engine-options.js'
import {
  type EngineCall,
  type EngineCallResult,
  MAX_TEXT_BYTES,
  type PrepareMessage,
} from './llama-messages.js'
import { LlamaProcess, type LoadedModel } from './llama-process.js'

/**
 * How many tokens the model may be ahead of the reader. Enough to keep it busy while tokens are gathered and
 * messages are in transit, and few enough that it stops soon after the reader.
 */
const TOKENS_AHEAD = 32

/** How many tokens are read before credit is granted: half of the window, so that it never runs empty. */
const GRANT_TOKENS = TOKENS_AHEAD / 2

/** The pause before each restart in a row, except the first one. */
const RESTART_DELAYS = { firstMs: 250, mostMs: 10_000 }

/** A process whose model can be loaded. */
interface PreparedProcess {
  readonly process: LlamaProcess
  readonly memoryBytes: number
}

/** The result of one method. */
type ResultOf<Method extends EngineCall['method']> = Extract<EngineCallResult, { method: Method }>

/**
 * llama.cpp in a separate process: if a model file aborts that process, or computing crashes it, only
 * the running answers fail. The next request starts the process again.
 *
 * @example
 * const engine = new LlamaEngine({ model: '/models/tiny.gguf', modelsDirectory, clock })
 * for await (const token of engine.generate({ messages, options }, signal)) write(token.text)
 */
export class LlamaEngine implements Engine {
  readonly #options: LlamaEngineOptions
  readonly #random: Random
  /** Aborted by {@link dispose}. */
  readonly #disposing = new AbortController()
  /**
   * The process that is starting or running; null before the first start, after a crash, and when
   * unloaded.
   */
  #process: LlamaProcess | null = null
  #preparing: Promise<PreparedProcess> | null = null
  #starting: Promise<LlamaProcess> | null = null
  /** The end of the previous process, whose memory the next one may need. */
  #leaving: Promise<void> = Promise.resolve()
  readonly #refusedSchemas = new SchemaRefusals()
  #loaded: LoadedModel | null = null
  /** Crashes and failed starts since the last answer without a crash. */
  #failures = 0
  #isRunning = false
  #unloads = 0
  /** Starts that followed a crash. */
  #restarts = 0
  #hasCrashed = false
  #maxThreads: number | null = null

  constructor(options: LlamaEngineOptions) {
    this.#options = options
    this.#random = options.random ?? new SystemRandom()
  }

  /** The id of the engine's process; null while there is none. */
  get processId(): number | null {
    return this.#process?.pid ?? null
  }

  async prepare(): Promise<number> {
    this.#assertUsable()
    this.#preparing ??= this.#prepare()
    return (await this.#preparing).memoryBytes
  }

  async load(signal?: AbortSignal): Promise<void> {
    await this.#running(signal)
  }

  async unload(): Promise<void> {
    const process = this.#process
    this.#unloads += 1
    this.#reset()
    if (process !== null) this.#leaving = process.close()
    await this.#leaving
  }

  info(): EngineInfo {
    if (this.#loaded === null) {
      throw new StarlingError('INTERNAL', 'The engine has not been loaded yet')
    }
    const { name, sha256, capabilities, tokenMs: _, ...rest } = this.#loaded
    return {
      kind: 'llama.cpp',
      model: this.#options.name ?? name,
      modelSha256: sha256,
      capabilities: new Set(capabilities),
      ...rest,
    }
  }

  limitThreads(threads: number): void {
    this.#maxThreads = threads
    this.#process?.limitThreads(threads)
  }

  status(): EngineStatus {
    const restarts = this.#restarts
    if (this.#isRunning) return { state: 'running', restarts }
    return { state: this.#preparing === null ? 'stopped' : 'starting', restarts }
  }

  async tokenize(text: string): Promise<readonly number[]> {
    const sizeBytes = Buffer.byteLength(text)
    if (sizeBytes > MAX_TEXT_BYTES) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `The text has ${sizeBytes} bytes; the maximum for one call is ${MAX_TEXT_BYTES}`,
      )
    }
    return resultOf('tokenize', await this.#call({ method: 'tokenize', text })).tokens
  }

  async detokenize(tokens: readonly number[]): Promise<string> {
    const result = await this.#call({ method: 'detokenize', tokens: [...tokens] })
    return resultOf('detokenize', result).text
  }

  async applyTemplate(
    messages: readonly ChatMessage[],
    tools?: readonly Tool[],
  ): Promise<TemplatedPrompt> {
    const result = await this.#call({
      method: 'applyTemplate',
      messages: [...messages],
      ...(tools && { tools: [...tools] }),
    })
    const { text, tokens } = resultOf('applyTemplate', result)
    return { text, tokens }
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]> {
    const result = await this.#call({ method: 'embed', texts: [...texts] }, signal)
    return resultOf('embed', result).vectors.map(decodeVector)
  }

  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    // Whether it is a valid request is checked later.
    this.#refusedSchemas.check(Object(request.options).jsonSchema)
    const process = await this.#running(signal)
    const { id, queue } = process.open(request, TOKENS_AHEAD)
    const onAbort = () => {
      queue.fail(cancelledError(signal.reason))
      process.cancel(id)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    let taken = 0
    try {
      for (;;) {
        const item = queue.poll() ?? (await queue.take())
        taken += 1
        if ('end' in item) return item.end
        if (taken % GRANT_TOKENS === 0) process.grant(id, GRANT_TOKENS)
        yield item
      }
    } finally {
      // A process that has answered and still runs works, even if the answer was not read to the end.
      if (taken > 0 && this.#process === process) this.#failures = 0
      signal.removeEventListener('abort', onAbort)
      process.cancel(id)
    }
  }

  async dispose(): Promise<void> {
    this.#disposing.abort()
    await this.unload()
  }

  async #call(call: EngineCall, signal?: AbortSignal): Promise<EngineCallResult> {
    const process = await this.#running(signal)
    try {
      return await process.call(call, signal)
    } catch (error) {
      throw signal?.aborted ? cancelledError(signal.reason) : error
    }
  }

  /** The process with its model loaded. The first caller starts it if there is none. */
  async #running(signal?: AbortSignal): Promise<LlamaProcess> {
    this.#assertUsable()
    if (signal?.aborted) throw cancelledError(signal.reason)
    this.#starting ??= this.#start()
    return await unlessAborted(this.#starting, signal, cancelledError)
  }

  async #prepare(): Promise<PreparedProcess> {
    const unloads = this.#unloads
    let process: LlamaProcess | null = null
    try {
      await this.#leaving
      await this.#restartDelay()
      this.#assertUsable()
      if (unloads !== this.#unloads) throw unloadedError()
      process = this.#createProcess()
      this.#process = process
      return { process, memoryBytes: await process.prepare(this.#prepareMessage()) }
    } catch (error) {
      await process?.close()
      this.#startFailed(process, unloads)
      throw error
    }
  }

  async #start(): Promise<LlamaProcess> {
    const unloads = this.#unloads
    this.#preparing ??= this.#prepare()
    const { process, memoryBytes } = await this.#preparing
    try {
      this.#assertMemory(memoryBytes)
      this.#loaded = await process.load()
      this.#isRunning = true
      return process
    } catch (error) {
      await process.close()
      this.#startFailed(process, unloads)
      throw error
    }
  }

  /** Lets the next request start again, unless the process was unloaded or has been replaced. */
  #startFailed(process: LlamaProcess | null, unloads: number): void {
    if (this.#process === process && this.#unloads === unloads) this.#forget()
  }

  #createProcess(): LlamaProcess {
    if (this.#hasCrashed) this.#restarts += 1
    const process = new LlamaProcess({
      childPath: this.#options.childPath,
      clock: this.#options.clock,
      onLog: (line) => this.#options.onLog?.(line),
      onProgress: (progress) => this.#options.onProgress?.(progress),
      onStuckSchema: (schema) => this.#refusedSchemas.add(schema),
      onCrash: (error) => {
        this.#hasCrashed = true
        if (this.#process === process) this.#forget()
        this.#options.onCrash?.(error)
      },
    })
    return process
  }

  /** @throws StarlingError MEMORY_INSUFFICIENT */
  #assertMemory(memoryBytes: number): void {
    if ((this.#options.gpu ?? 'auto') !== false) return
    const available = this.#options.availableMemoryBytes?.() ?? process.availableMemory()
    if (memoryBytes <= available) return
    throw new StarlingError(
      'MEMORY_INSUFFICIENT',
      `The model needs about ${mebibytes(memoryBytes)} MiB of memory with these slots and this ` +
        `context; ${mebibytes(available)} MiB are available`,
    )
  }

  #forget(): void {
    this.#failures += 1
    this.#reset()
  }

  #reset(): void {
    this.#isRunning = false
    this.#process = null
    this.#preparing = null
    this.#starting = null
  }

  #assertUsable(): void {
    if (!this.#disposing.signal.aborted) return
    throw new StarlingError('ENGINE_DISPOSED', 'The engine has been disposed of')
  }

  /** The first restart is immediate; the pause before each further one in a row is longer. */
  async #restartDelay(): Promise<void> {
    if (this.#failures < 2) return
    const delayMs = retryDelayMs(RESTART_DELAYS, this.#failures - 1, this.#random.fraction())
    try {
      await this.#options.clock.sleep(delayMs, this.#disposing.signal)
    } catch {
      // It may have been disposed of in the meantime, which the caller checks next.
    }
  }

  #prepareMessage(): PrepareMessage {
    const { model, modelsDirectory, hubUrl, hubToken } = this.#options
    const { slots, contextTokens, threads, gpu, gpuLayers, maxStallMs, gatherMs } = this.#options
    // The process that parses a model file has the token only if it needs it to fetch that file.
    const isFromHub = parseModelReference(model).source.kind === 'hub'
    return {
      kind: 'prepare',
      model,
      modelsDirectory,
      slots: slots ?? 4,
      contextTokens: contextTokens ?? 2048,
      threads: threads ?? 'auto',
      ...(this.#maxThreads !== null && { maxThreads: this.#maxThreads }),
      gpu: gpu ?? 'auto',
      gpuLayers: gpuLayers ?? 'auto',
      maxStallMs: maxStallMs ?? 50,
      gatherMs: gatherMs ?? 8,
      ...(hubUrl !== undefined && { hubUrl }),
      ...(hubToken !== undefined && isFromHub && { hubToken }),
    }
  }
}

/** Narrows the type of a result to that of the method that was called. */
function resultOf<Method extends EngineCall['method']>(
  method: Method,
  result: EngineCallResult,
): ResultOf<Method> {
  if (isResultOf(method, result)) return result
  throw new Error(`A call of ${method} was answered with ${result.method}`)
}

function isResultOf<Method extends EngineCall['method']>(
  method: Method,
  result: EngineCallResult,
): result is ResultOf<Method> {
  return result.method === method
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}

function unloadedError(): StarlingError {
  return new StarlingError('DRAINING', 'The model was unloaded while it was being loaded')
}
