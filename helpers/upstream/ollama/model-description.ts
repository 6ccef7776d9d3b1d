import { z } from 'zod'

/** Families that consist of embedding models only. */
const EMBEDDING_FAMILIES = /bert|^xlm-roberta$|^t5encoder$/
const EMBEDDING_NAMES = /embed|(^|[/-])(bge|e5|gte|minilm)([-:]|$)/i

const detailsSchema = z.object({
  family: z.string().default(''),
  families: z
    .array(z.string())
    .nullish()
    .transform((families) => families ?? []),
  parameter_size: z.string().default(''),
  quantization_level: z.string().default(''),
})

/** The answer of `/api/tags`: the fields that are used. */
export const ollamaTagsSchema = z.object({
  models: z
    .array(
      z.object({
        name: z.string().min(1),
        size: z.number().nonnegative().default(0),
        digest: z.string().default(''),
        details: detailsSchema.prefault({}),
        capabilities: z.array(z.string()).optional(),
        remote_host: z.string().optional(),
      }),
    )
    .nullish()
    .transform((models) => models ?? []),
})

/** The answer of `/api/show`: the fields that are used. */
export const ollamaShowSchema = z.object({
  modelfile: z.string().default(''),
  details: detailsSchema.prefault({}),
  model_info: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((entries) => entries ?? {}),
  capabilities: z.array(z.string()).optional(),
})

/** A model that an Ollama server has. */
export interface OllamaModel {
  /** The name with the tag: `llama3.2:1b`. */
  readonly name: string
  /** The size of its files. */
  readonly sizeBytes: number
  /** `Q4_K_M`; empty when the server does not say. */
  readonly quantization: string
  /** `1.2B`; empty when the server does not say. */
  readonly parameterSize: string
  readonly families: readonly string[]
  /**
   * Whether it embeds texts instead of answering; guessed from its name and family if the server does
   * not say.
   */
  readonly isEmbedding: boolean
  /** Whether it runs in the vendor's cloud: prompts then leave the operator's machines. */
  readonly isRemote: boolean
}

/** The models in the answer of `/api/tags`. */
export function ollamaModels({ models }: z.infer<typeof ollamaTagsSchema>): OllamaModel[] {
  return models.map(({ name, size, details, capabilities, remote_host }) => ({
    name,
    sizeBytes: size,
    quantization: details.quantization_level,
    parameterSize: details.parameter_size,
    families: details.families.length > 0 ? details.families : [details.family].filter(Boolean),
    isEmbedding: isEmbedding(name, details.family, capabilities),
    isRemote: remote_host !== undefined && remote_host !== '',
  }))
}

/** The properties of a model in the answer of `/api/show` that an engine needs. */
export interface OllamaModelFacts {
  /** The context that the model was trained for; null if the server does not say. */
  readonly contextTokens: number | null
  /** SHA-256 of the model's file, hexadecimal; null when the server does not say. */
  readonly sha256: string | null
  readonly answers: boolean
  readonly embeds: boolean
  readonly takesTools: boolean
  readonly thinks: boolean
}

export function ollamaModelFacts(
  name: string,
  { modelfile, details, model_info, capabilities }: z.infer<typeof ollamaShowSchema>,
): OllamaModelFacts {
  const contextTokens = model_info[`${model_info['general.architecture']}.context_length`]
  const embeds = isEmbedding(name, details.family, capabilities)
  return {
    contextTokens:
      typeof contextTokens === 'number' && contextTokens > 0 ? Math.floor(contextTokens) : null,
    // Ollama names files by their hashes; the first FROM line names that of the model.
    sha256: /^FROM\s+\S*sha256[-:]([\da-f]{64})\s*$/m.exec(modelfile)?.[1] ?? null,
    answers: capabilities?.includes('completion') ?? !embeds,
    embeds,
    takesTools: capabilities?.includes('tools') ?? false,
    thinks: capabilities?.includes('thinking') ?? false,
  }
}

function isEmbedding(
  name: string,
  family: string,
  capabilities: readonly string[] | undefined,
): boolean {
  if (capabilities !== undefined) return capabilities.includes('embedding')
  return EMBEDDING_FAMILIES.test(family) || EMBEDDING_NAMES.test(name)
}
