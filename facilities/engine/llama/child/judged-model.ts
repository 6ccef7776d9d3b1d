import type { GgufModelFacts } from '../../../../helpers/models/gguf/gguf-model-facts.js'
import { estimateModelMemoryBytes } from '../../../../helpers/models/gguf/model-memory.js'
import { fileStamp } from '../../../models/cache/file-stamp.js'
import type { FileStamp } from '../../../models/cache/model-records.js'
import { inspectGguf } from '../../../models/gguf-inspection.js'
import type { ModelProgress } from '../../../models/model-progress.js'

/** A model file whose header has been checked. */
export interface JudgedModel {
  readonly facts: GgufModelFacts
  /** The estimated memory when it is loaded. */
  readonly memoryBytes: number
  /** The stamp of the file before the check; undefined if it was missing. */
  readonly stamp: FileStamp | undefined
}

/**
 * Checks the header of a model file: whether llama.cpp should load it, and how much memory that takes.
 *
 * @throws StarlingError as {@link inspectGguf}
 */
export async function judgeModel(
  path: string,
  { slots, contextTokens }: { readonly slots: number; readonly contextTokens: number },
  onProgress: (progress: ModelProgress) => void,
): Promise<JudgedModel> {
  const stamp = await fileStamp(path)
  const { facts, sizeBytes } = await inspectGguf(path, { onProgress })
  const memoryBytes = estimateModelMemoryBytes(facts, {
    fileSizeBytes: sizeBytes,
    slots,
    contextTokens: Math.min(contextTokens, facts.contextTokens),
  })
  return { facts, memoryBytes, stamp }
}
