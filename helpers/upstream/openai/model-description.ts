import { z } from 'zod'

const EMBEDDING_NAMES = /embed|(^|[/-])(bge|e5|gte|minilm)([-:]|$)/i

const tokens = z.number().int().positive().nullish()

/** The answer of `/v1/models`: the fields that are used. */
export const openaiModelsSchema = z.object({
  data: z.array(
    z.object({
      id: z.string().min(1),
      /** vLLM's. */
      max_model_len: tokens,
      /** llama-server's. */
      meta: z.object({ n_ctx: tokens, n_ctx_train: tokens }).nullish(),
    }),
  ),
})

/** A model that an OpenAI-compatible server has. */
export interface OpenaiModel {
  readonly name: string
  /** Prompt and answer together, in tokens; null when the server does not say. */
  readonly contextTokens: number | null
  /** Whether it embeds texts instead of answering, by its name: servers do not say. */
  readonly isEmbedding: boolean
}

export function openaiModels({ data }: z.infer<typeof openaiModelsSchema>): OpenaiModel[] {
  return data.map(({ id, max_model_len, meta }) => ({
    name: id,
    contextTokens: max_model_len ?? meta?.n_ctx ?? meta?.n_ctx_train ?? null,
    isEmbedding: EMBEDDING_NAMES.test(id),
  }))
}

/** The answer of `/v1/embeddings`: the fields that are used. */
export const openaiEmbeddingsSchema = z.object({
  data: z.array(
    z.object({ index: z.number().int().nonnegative(), embedding: z.array(z.number()) }),
  ),
})
