import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { type InspectedModel, inspectGguf } from './gguf-inspection.js'

/** The purpose of a model: chat or embedding. */
export type ModelKind = 'chat' | 'embedding'

/** What users see of a model before they choose one; null if unknown. */
export interface ModelFacts {
  readonly kind: ModelKind
  /** An SPDX identifier as a rule. */
  readonly licence: string | null
  /** Such as Q4_K_M. */
  readonly quantization: string | null
  /** Prompt and answer together, in tokens, as the model was trained. */
  readonly contextTokens: number | null
}

/**
 * What the header of a GGUF file says about the model. For an invalid file, a chat model with null values: an
 * engine that loads the file reports the reason.
 *
 * @param inspect reads the header. Default: {@link inspectGguf}
 */
export async function readModelFacts(
  path: string,
  inspect: (path: string) => Promise<InspectedModel> = inspectGguf,
): Promise<ModelFacts> {
  try {
    const { facts } = await inspect(path)
    const { licence, quantization, contextTokens } = facts
    return { kind: facts.isEmbedding ? 'embedding' : 'chat', licence, quantization, contextTokens }
  } catch (error) {
    if (!isStarlingError(error)) throw error
    return { kind: 'chat', licence: null, quantization: null, contextTokens: null }
  }
}
