import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { Engine } from '../../../facilities/engine/engine.js'
import { LlamaEngine } from '../../../facilities/engine/llama/llama-engine.js'
import type { LlamaEngineOptions } from '../../../facilities/engine/llama/llama-engine-options.js'
import { inspectGguf } from '../../../facilities/models/gguf-inspection.js'
import { estimateModelMemoryBytes } from '../../../helpers/models/gguf/model-memory.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import type { GenerationOptionsInput } from '../../../helpers/protocol/generation-options.js'
import { optionsOf } from '../factory.js'
import type { Scope } from '../scope.js'

/** A model of 1M parameters that tells short stories; no chat template, context of 256 tokens. */
export const TINY_MODEL_PATH = fileURLToPath(
  new URL('../../fixtures/tiny-stories-1M-f16.gguf', import.meta.url),
)

/** Where tests cache the default model once one of them has created it; safe to share. */
export const SHARED_MODELS_DIRECTORY = join(tmpdir(), 'starling-test-models')

/** A whole answer. */
export interface Answer {
  readonly text: string
  readonly tokenIds: readonly number[]
  readonly tokens: readonly Token[]
  readonly end: GenerationEnd
}

/** An engine with the tiny model, loaded, disposed of at the end of the scope. */
export async function tinyLlama(
  scope: Scope,
  options: Partial<LlamaEngineOptions> = {},
): Promise<LlamaEngine> {
  const engine = new LlamaEngine({
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock: new SystemClock(),
    gpu: false,
    ...options,
  })
  scope.teardown(async () => await engine.dispose())
  await engine.load()
  return engine
}

/**
 * An engine, not loaded, that starts a stand-in for llama.cpp: see stand-in-child.ts. For
 * tests of the process, not of its results; disposed of at the end of the scope.
 */
export function standInLlama(scope: Scope, options: Partial<LlamaEngineOptions> = {}): LlamaEngine {
  const engine = new LlamaEngine({
    ...{ model: 'any', modelsDirectory: SHARED_MODELS_DIRECTORY, gpu: false },
    childPath: fileURLToPath(new URL('./stand-in-child.js', import.meta.url)),
    clock: new SystemClock(),
    ...options,
  })
  scope.teardown(async () => await engine.dispose())
  return engine
}

/** The engine's process, to be killed: never 0, which would be the test's own group. */
export function processIdOf(engine: LlamaEngine): number {
  if (engine.processId === null) throw new Error('the engine has no process')
  return engine.processId
}

/** The estimated memory of an engine with that many slots of the tiny model. */
export async function tinyModelMemoryBytes(slots: number): Promise<number> {
  const { facts, sizeBytes } = await inspectGguf(TINY_MODEL_PATH)
  const { contextTokens } = facts
  return estimateModelMemoryBytes(facts, { fileSizeBytes: sizeBytes, slots, contextTokens })
}

/** Begins an answer to one message. */
export function generate(
  engine: Engine,
  content: string,
  options: GenerationOptionsInput = {},
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<Token, GenerationEnd, void> {
  const request = {
    messages: [{ role: 'user' as const, content }],
    options: optionsOf(options),
  }
  return engine.generate(request, signal)
}

/** The rest of an answer. */
export async function collect(
  generation: AsyncGenerator<Token, GenerationEnd, void>,
): Promise<Answer> {
  const tokens: Token[] = []
  for (;;) {
    const step = await generation.next()
    if (!step.done) {
      tokens.push(step.value)
      continue
    }
    return {
      text: tokens.map(({ text }) => text).join(''),
      tokenIds: tokens.map(({ tokenId }) => tokenId ?? -1),
      tokens,
      end: step.value,
    }
  }
}

/** A whole answer to one message. */
export async function answer(
  engine: Engine,
  content: string,
  options: GenerationOptionsInput = {},
): Promise<Answer> {
  return await collect(generate(engine, content, options))
}
