import {
  getLlama,
  InsufficientMemoryError,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'
import type { ErrorCode } from '../../../../../helpers/errors/error-codes.js'
import { isStarlingError, StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { MAX_CHUNK_TOKENS } from '../../../../../helpers/generation/prefill-pace.js'
import type { GpuChoice } from '../../llama-messages.js'
import type { BatchStrategy } from './batch-strategy.js'

/** Chunks of prompts that fit into one batch beside the answers; more would take memory for little gain. */
const PROMPTS_TOGETHER = 4

/** Loads llama.cpp. Never downloads or compiles anything. */
export async function openLlama(
  gpu: GpuChoice,
  maxThreads: number,
  logger: (level: LlamaLogLevel, message: string) => void,
): Promise<Llama> {
  return await orThrow('CONFIG_INVALID', `llama.cpp cannot run here with gpu set to ${gpu}`, () =>
    getLlama({
      gpu,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads,
      logLevel: LlamaLogLevel.warn,
      logger,
    }),
  )
}

/** Reads a model into memory. */
export async function loadModel(
  llama: Llama,
  options: {
    readonly modelPath: string
    readonly gpuLayers: number | 'auto'
    readonly onProgress: (fraction: number) => void
  },
): Promise<LlamaModel> {
  const { modelPath, gpuLayers, onProgress } = options
  return await orThrow('MODEL_INVALID', 'The model file cannot be loaded', () =>
    llama.loadModel({ modelPath, gpuLayers, onLoadProgress: onProgress }),
  )
}

/** Creates the context in which answers are computed. */
export async function createContext(
  model: LlamaModel,
  options: {
    readonly slots: number
    readonly contextTokens: number
    readonly threads: number
    readonly strategy: BatchStrategy
  },
): Promise<LlamaContext> {
  const { slots, contextTokens, threads, strategy } = options
  return await orThrow(
    'CONFIG_INVALID',
    `${slots} slots of ${contextTokens} tokens cannot be set up; ` +
      'fewer slots or contextTokens need less memory',
    () =>
      model.createContext({
        sequences: slots,
        contextSize: contextTokens,
        batchSize: slots + Math.min(slots, PROMPTS_TOGETHER) * MAX_CHUNK_TOKENS,
        threads,
        batching: { itemPrioritizationStrategy: strategy.prioritize },
      }),
  )
}

async function orThrow<Result>(
  code: ErrorCode,
  message: string,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run()
  } catch (cause) {
    if (isStarlingError(cause)) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    if (cause instanceof InsufficientMemoryError) {
      throw new StarlingError('MEMORY_INSUFFICIENT', `${message}: ${why}`, { cause })
    }
    throw new StarlingError(code, `${message}: ${why}`, { cause })
  }
}
