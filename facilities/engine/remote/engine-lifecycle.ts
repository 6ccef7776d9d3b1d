import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { unlessAborted } from '../../clock/bounded-wait.js'
import { cancelledError } from '../engine-cancelled.js'

/** Requests in progress at once; the actual queue is in front of the engine. */
const MAX_REQUESTS = 256

/** What an engine does on the events of its lifecycle. */
export interface EngineLifecycleHooks<Model> {
  /** Reads the properties of the model. Its signal is aborted if the result is no longer needed. */
  readonly read: (signal: AbortSignal) => Promise<Model>
  /** Called after `unload` or `dispose` has aborted all work in progress. */
  readonly onEnd: () => void
}

/**
 * The lifecycle of an engine whose model runs in another program. Loading reads the properties of the
 * model. Work in progress ends when its reader returns, the model is unloaded, or the engine is disposed
 * of.
 */
export class EngineLifecycle<Model> {
  readonly #hooks: EngineLifecycleHooks<Model>
  readonly #running = new Set<AbortController>()
  #loading: { readonly model: Promise<Model>; readonly ending: AbortController } | null = null
  #model: Model | null = null
  #isDisposed = false

  constructor(hooks: EngineLifecycleHooks<Model>) {
    this.#hooks = hooks
  }

  /** The properties of the model at its last load. @throws StarlingError INTERNAL before that */
  get model(): Model {
    if (this.#model !== null) return this.#model
    throw new StarlingError('INTERNAL', 'The engine has not been loaded yet')
  }

  /** @throws StarlingError ENGINE_DISPOSED */
  assertUsable(): void {
    if (this.#isDisposed) throw disposedError()
  }

  async load(signal?: AbortSignal): Promise<void> {
    await this.run(signal, async () => undefined)
  }

  async unload(): Promise<void> {
    this.#end(new StarlingError('DRAINING', 'The model was unloaded'))
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    this.#end(disposedError())
  }

  /**
   * Runs some work with the loaded model.
   *
   * @param work its signal is aborted, with the reason as a StarlingError, when the work must end
   * @throws StarlingError ENGINE_DISPOSED, CANCELLED, DRAINING, OVERLOADED; what loading and the
   *   work throw
   */
  async run<Result>(
    signal: AbortSignal | undefined,
    work: (model: Model, ending: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { ending, leave } = this.#begin(signal)
    try {
      return await unlessAborted(
        this.#loaded().then((model) => work(model, ending)),
        ending,
      )
    } catch (error) {
      throw ending.aborted ? ending.reason : error
    } finally {
      leave()
    }
  }

  /**
   * As {@link run}, for work that yields tokens. A reader that returns early ends it. The work has to check
   * its signal after each token, because time may have passed.
   */
  async *stream(
    signal: AbortSignal,
    work: (model: Model, ending: AbortSignal) => AsyncGenerator<Token, GenerationEnd, void>,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { ending, leave } = this.#begin(signal)
    try {
      const model = await unlessAborted(this.#loaded(), ending)
      return yield* work(model, ending)
    } catch (error) {
      throw ending.aborted ? ending.reason : error
    } finally {
      leave()
    }
  }

  #begin(signal: AbortSignal | undefined): { ending: AbortSignal; leave: () => void } {
    this.assertUsable()
    if (signal?.aborted) throw cancelledError(signal.reason)
    if (this.#running.size >= MAX_REQUESTS) {
      throw new StarlingError(
        'OVERLOADED',
        `${MAX_REQUESTS} requests of the engine are already in progress`,
      )
    }
    const ending = new AbortController()
    const onAbort = () => ending.abort(cancelledError(signal?.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#running.add(ending)
    const leave = () => {
      signal?.removeEventListener('abort', onAbort)
      this.#running.delete(ending)
    }
    return { ending: ending.signal, leave }
  }

  /** The properties of the model. The first caller starts reading them. */
  #loaded(): Promise<Model> {
    if (this.#loading === null) {
      const ending = new AbortController()
      const loading = { model: this.#read(ending.signal), ending }
      this.#loading = loading
      loading.model.catch(() => {
        // Waiting callers get the error; the next one tries again.
        if (this.#loading === loading) this.#loading = null
      })
    }
    return this.#loading.model
  }

  async #read(signal: AbortSignal): Promise<Model> {
    const model = await this.#hooks.read(signal)
    this.#model = model
    return model
  }

  #end(reason: StarlingError): void {
    this.#loading?.ending.abort(reason)
    this.#loading = null
    for (const ending of this.#running) ending.abort(reason)
    this.#hooks.onEnd()
  }
}

function disposedError(): StarlingError {
  return new StarlingError('ENGINE_DISPOSED', 'The engine has been disposed of')
}
