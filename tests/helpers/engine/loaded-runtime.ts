import type { Test } from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import {
  LlamaRuntime,
  type LlamaRuntimeOptions,
} from '../../../facilities/engine/llama/child/llama-runtime.js'
import { ModelCache } from '../../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../../facilities/models/gguf-inspection.js'
import { DEFAULT_MODEL_NAME } from '../../../facilities/models/sources/catalog.js'
import type { ChatMessage } from '../../../helpers/protocol/chat-message.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import type { GenerationOptionsInput } from '../../../helpers/protocol/generation-options.js'
import { optionsOf } from '../factory.js'
import { collect, SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from './tiny-llama.js'

/** A complete answer of a runtime in this process. */
export interface RuntimeAnswer {
  readonly text: string
  readonly ids: readonly number[]
  readonly tokens: readonly Token[]
  readonly end: GenerationEnd
}

/** What answers requests: a runtime, or a part of one. */
export type Answering = Pick<LlamaRuntime, 'generate'>

/** What a request may have besides its options. */
export interface AskOptions {
  readonly resumeFrom?: readonly number[]
  readonly signal?: AbortSignal
}

/** The default model's file, created if no test has created it yet. */
export async function defaultModelPath(): Promise<string> {
  const cache = new ModelCache({ directory: SHARED_MODELS_DIRECTORY, random: new SystemRandom() })
  return (await cache.prepare(DEFAULT_MODEL_NAME)).path
}

/** A runtime in this process, by default with the tiny model; closed when the test ends. */
export async function loadRuntime(
  t: Test,
  options: Partial<LlamaRuntimeOptions> = {},
): Promise<LlamaRuntime> {
  const runtime = await openRuntime(options)
  t.teardown(async () => await runtime.close())
  return runtime
}

/** Like {@link loadRuntime}, but the caller closes it. */
export async function openRuntime(
  options: Partial<LlamaRuntimeOptions> = {},
): Promise<LlamaRuntime> {
  const { modelPath = TINY_MODEL_PATH } = options
  return await LlamaRuntime.load({
    modelPath,
    facts: (await inspectGguf(modelPath)).facts,
    ...{ slots: 4, contextTokens: 1024, threads: 1, gpu: false },
    clock: new SystemClock(),
    random: new SystemRandom(),
    onLog: () => undefined,
    onProgress: () => undefined,
    ...options,
  })
}

/** Begins an answer. */
export function begin(
  runtime: Answering,
  said: string | readonly ChatMessage[],
  options: GenerationOptionsInput = {},
  { resumeFrom, signal = new AbortController().signal }: AskOptions = {},
): AsyncGenerator<Token, GenerationEnd, void> {
  const messages = typeof said === 'string' ? [{ role: 'user' as const, content: said }] : said
  return runtime.generate({ messages, options: optionsOf(options), resumeFrom }, signal)
}

/** The rest of an answer. */
export async function finish(
  generation: AsyncGenerator<Token, GenerationEnd, void>,
): Promise<RuntimeAnswer> {
  const { tokenIds: ids, ...rest } = await collect(generation)
  return { ids, ...rest }
}

/** A whole answer. */
export async function ask(
  runtime: Answering,
  said: string | readonly ChatMessage[],
  options: GenerationOptionsInput = {},
  more: AskOptions = {},
): Promise<RuntimeAnswer> {
  return await finish(begin(runtime, said, options, more))
}
