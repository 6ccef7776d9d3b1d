import type { RecommendedSampling } from '../../generation/sampling-defaults.js'
import { generationOptionsSchema } from '../../protocol/generation-options.js'
import { checkArchitecture } from './architecture-rules.js'
import type { GgufHeader } from './gguf-header.js'
import type { GgufTensorInfo } from './gguf-tensor-info.js'
import { type Hyperparameters, outlineOf, readHyperparameters } from './hyperparameters.js'
import { invalidModel, quoted, unsupportedModel } from './invalid-model.js'
import type { GgufMetadataValue } from './metadata-decoding.js'
import { MetadataReader } from './metadata-reader.js'
import { isKnownArchitecture, mayBeModel } from './model-architectures.js'
import { quantizationName } from './quantization-names.js'
import { checkTensors } from './tensor-checks.js'
import { checkVocabulary } from './vocabulary-checks.js'

/** The properties of a model, from its own header. */
export interface GgufModelFacts {
  /** In llama.cpp's terms: llama, qwen2, bert. */
  readonly architecture: string
  /** The context that it was trained for, in tokens. */
  readonly contextTokens: number
  readonly layers: number
  readonly embeddingLength: number
  /** Of the largest layer. */
  readonly feedForwardLength: number
  /** Query heads of the layer with the most. 0 without attention. */
  readonly headCount: number
  /** Key and value heads: one number for all layers, or one for each if they differ. */
  readonly headCountKv: number | readonly number[]
  /** The lengths of one head's key and of one head's value. */
  readonly keyLength: number
  readonly valueLength: number
  readonly vocabularyTokens: number
  /** The usual name, such as Q8_0, Q4_K_M or F16; of the tensor type with most bytes if none is given. */
  readonly quantization: string
  /** Elements of all tensors. */
  readonly parameters: number
  /** Bytes of all tensors. */
  readonly weightsBytes: number
  /** Null when the file has none. */
  readonly name: string | null
  readonly licence: string | null
  readonly hasChatTemplate: boolean
  /** How a sequence becomes one vector; null if the file does not define it. */
  readonly pooling: 'none' | 'mean' | 'cls' | 'last' | 'rank' | null
  /** Whether it embeds texts instead of answering. */
  readonly isEmbedding: boolean
  /** The sampling that its makers recommend. */
  readonly sampling: RecommendedSampling
}

const POOLING = ['none', 'mean', 'cls', 'last', 'rank'] as const

/** The longest name or licence; longer ones are cut. */
const MAX_TEXT_CHARACTERS = 256

/** The decimal digits that a float32 preserves: 0.95 is stored as 0.949999988. */
const FLOAT32_DIGITS = 6

const { shape } = generationOptionsSchema

/**
 * The keys that llama.cpp's converter writes from a model's `generation_config.json`. The others under
 * `general.sampling` have no corresponding option here: `sequence`, `xtc_…`, `mirostat…` and
 * `penalty_last_n`.
 *
 * @see https://github.com/ggml-org/llama.cpp/pull/17120
 */
const SAMPLING_KEYS = {
  temperature: { key: 'general.sampling.temp', schema: shape.temperature },
  topP: { key: 'general.sampling.top_p', schema: shape.topP },
  topK: { key: 'general.sampling.top_k', schema: shape.topK },
  minP: { key: 'general.sampling.min_p', schema: shape.minP },
  repeatPenalty: { key: 'general.sampling.penalty_repeat', schema: shape.repeatPenalty },
} as const satisfies Partial<Record<keyof RecommendedSampling, object>>

/**
 * Reads the properties of a model from its header. Checks everything that makes llama.cpp abort the
 * process, in this order: architecture, hyperparameters, vocabulary, tensors. For an unknown
 * architecture, only what determines the memory is checked. Other errors, such as a missing tensor, are
 * reported by llama.cpp when it loads the model.
 *
 * @throws StarlingError MODEL_INVALID, naming what is missing or wrong; MODEL_UNSUPPORTED for auxiliary
 *   models, models without a vocabulary, and one of several files of a model
 */
export function ggufModelFacts(header: GgufHeader): GgufModelFacts {
  const keys = new MetadataReader(header.metadata)
  const architecture = keys.requiredText('general.architecture')
  if (!mayBeModel(architecture)) {
    throw unsupportedModel(
      `is of the architecture ${quoted(architecture)}, which cannot run on its own`,
    )
  }
  checkSingleFile(header)
  const name = keys.text('general.name')
  const fileType = keys.whole('general.file_type', { min: 0, max: 0xffff_ffff })
  const isKnown = isKnownArchitecture(architecture)
  const hyperparameters = (isKnown ? readHyperparameters : outlineOf)(keys, architecture)
  if (isKnown) checkArchitecture(keys, architecture, hyperparameters)
  const vocabularyTokens = checkVocabulary(keys)
  if (isKnown) checkTensors(header.tensors, architecture, hyperparameters, vocabularyTokens)

  const tensors = [...header.tensors.values()]
  const { contextTokens, layers, embeddingLength, keyLength, valueLength } = hyperparameters
  return {
    architecture,
    contextTokens,
    layers,
    embeddingLength,
    feedForwardLength: Math.max(...hyperparameters.feedForwardLengths),
    headCount: Math.max(...hyperparameters.headCounts),
    headCountKv: oneOrEach(hyperparameters.headCountsKv),
    keyLength,
    valueLength,
    vocabularyTokens,
    quantization:
      (fileType === undefined ? undefined : quantizationName(fileType)) ?? mostBytesType(tensors),
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    weightsBytes: tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    name: shortened(name),
    licence: shortened(textOrNothing(header, 'general.license')),
    hasChatTemplate: keys.has('tokenizer.chat_template'),
    sampling: recommendedSampling(header.metadata),
    ...embeddingFacts(keys, architecture, hyperparameters),
  }
}

/** llama.cpp would look for the other files by generated names. */
function checkSingleFile({ metadata }: GgufHeader): void {
  const parts = metadata.get('split.count')
  if (parts === undefined) return
  if (parts.type !== 'number' || parts.numberType !== 'uint16') {
    throw invalidModel('has "split.count", which is not a uint16')
  }
  if (parts.value <= 1) return
  throw unsupportedModel(`is one of ${parts.value} parts; join them (llama-gguf-split --merge)`)
}

function embeddingFacts(
  keys: MetadataReader,
  architecture: string,
  { poolingType }: Hyperparameters,
): Pick<GgufModelFacts, 'pooling' | 'isEmbedding'> {
  const pooling = poolingType === undefined ? null : (POOLING[poolingType] ?? null)
  const seesAhead = keys.bool(`${architecture}.attention.causal`) === false
  const pools = pooling !== null && pooling !== 'none'
  const isMadeForIt = /bert|embed|encoder/.test(architecture)
  return { pooling, isEmbedding: pools || seesAhead || isMadeForIt }
}

/** Text that is only displayed may have another type: then it is not displayed. */
function textOrNothing({ metadata }: GgufHeader, key: string): string | undefined {
  const value = metadata.get(key)
  return value?.type === 'string' ? value.value : undefined
}

function shortened(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, MAX_TEXT_CHARACTERS)
}

function oneOrEach(numbers: readonly number[]): number | readonly number[] {
  const [first = 0] = numbers
  return numbers.every((number) => number === first) ? first : numbers
}

function mostBytesType(tensors: readonly GgufTensorInfo[]): string {
  const bytes = new Map<string, number>()
  for (const { type, sizeBytes } of tensors) {
    bytes.set(type.name, (bytes.get(type.name) ?? 0) + sizeBytes)
  }
  const [largest] = [...bytes].sort(([, first], [, second]) => second - first)
  return largest?.[0] ?? 'F32'
}

/**
 * The sampling that the header of a model file recommends. Values of another type or out of the bounds
 * of a request are ignored; they are no reason to refuse the model.
 */
function recommendedSampling(
  metadata: ReadonlyMap<string, GgufMetadataValue>,
): RecommendedSampling {
  const found = Object.entries(SAMPLING_KEYS).flatMap(([option, { key, schema }]) => {
    const value = metadata.get(key)
    if (value?.type !== 'number') return []
    const stored = Number(Number(value.value).toPrecision(FLOAT32_DIGITS))
    // In llama.cpp a negative number means all tokens.
    const number = option === 'topK' ? Math.max(stored, 0) : stored
    return schema.safeParse(number).success ? [[option, number] as const] : []
  })
  return Object.fromEntries(found)
}
