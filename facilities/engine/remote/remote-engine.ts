import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { checkRequest, notSupported } from '../check-request.js'
import type {
  Engine,
  EngineCapability,
  EngineInfo,
  GenerateRequest,
  TemplatedPrompt,
} from '../engine.js'
import { EngineLifecycle } from './engine-lifecycle.js'
import type { ModelServerClient } from './model-server-client.js'
import { checkTexts, checkVectors } from './remote-embeddings.js'

/**
 * The base of engines whose model runs in another program, behind HTTP. Loading reads the properties of
 * the model. Tokens have no ids.
 */
export abstract class RemoteEngine implements Engine {
  protected readonly server: ModelServerClient
  readonly #kind: string
  readonly #lifecycle: EngineLifecycle<EngineInfo>

  /** @param kind of the engine, as in its info */
  protected constructor(kind: string, server: ModelServerClient) {
    this.server = server
    this.#kind = kind
    this.#lifecycle = new EngineLifecycle({
      read: (signal) => this.read(signal),
      onEnd: () => server.close(),
    })
  }

  /** The model uses the memory of its server. */
  async prepare(): Promise<number> {
    this.#lifecycle.assertUsable()
    return 0
  }

  async load(signal?: AbortSignal): Promise<void> {
    await this.#lifecycle.load(signal)
  }

  /** Discards the properties of the model. The server decides how long it keeps the model in memory. */
  async unload(): Promise<void> {
    await this.#lifecycle.unload()
  }

  info(): EngineInfo {
    return this.#lifecycle.model
  }

  async tokenize(): Promise<readonly number[]> {
    return await this.#refuse('tokens')
  }

  async detokenize(): Promise<string> {
    return await this.#refuse('tokens')
  }

  async applyTemplate(): Promise<TemplatedPrompt> {
    return await this.#refuse('template')
  }

  generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    return this.#lifecycle.stream(signal, (info, ending) =>
      this.answer(checkRequest(request, info), info, ending),
    )
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]> {
    return await this.#lifecycle.run(signal, async ({ capabilities }, ending) => {
      if (!capabilities.has('embed')) throw notSupported(this.#kind, 'embed')
      const checked = checkTexts(texts)
      return checkVectors(checked, await this.vectors(checked, ending))
    })
  }

  async dispose(): Promise<void> {
    await this.#lifecycle.dispose()
  }

  /** Reads the properties of the model. */
  protected abstract read(signal: AbortSignal): Promise<EngineInfo>

  /** Answers a request that has been checked. */
  protected abstract answer(
    request: GenerateRequest,
    info: EngineInfo,
    ending: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void>

  /** Embeds texts that have been checked; the vectors may have any length. */
  protected abstract vectors(
    texts: readonly string[],
    ending: AbortSignal,
  ): Promise<readonly (readonly number[])[]>

  /** @throws StarlingError NOT_SUPPORTED, or ENGINE_DISPOSED */
  async #refuse(capability: EngineCapability): Promise<never> {
    return await this.#lifecycle.run(undefined, async () => {
      throw notSupported(this.#kind, capability)
    })
  }
}
