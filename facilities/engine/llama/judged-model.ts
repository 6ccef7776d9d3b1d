import type { GgufModelFacts } from '../../../helpers/gguf/gguf-model-facts.js'
import { estimateModelMemoryBytes } from '../../../helpers/gguf/model-memory.js'
import { fileStamp } from '../../models/file-stamp.js'
import { inspectGguf } from '../../models/gguf-inspection.js'
import type { ModelProgress } from '../../models/model-progress.js'
import type { FileStamp } from '../../models/model-records.js'

/** A model file of which the header has been judged. */
export interface JudgedModel {
  readonly facts: GgufModelFacts
  /** What it takes when it is loaded, by estimate. */
  readonly memoryBytes: number
  /** Of the file as it was before; undefined when it was not there. */
  readonly stamp: FileStamp | undefined
}

/**
 * Judges a model file by its header: whether llama.cpp should load it, and what memory that takes.
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
