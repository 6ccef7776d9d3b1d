import { z } from 'zod'
import { wireErrorSchema } from '../../helpers/errors/wire-error.js'
import {
  chatMessageSchema,
  generationEndSchema,
  generationOptionsSchema,
  tokenSchema,
} from '../../helpers/protocol/generation.js'

/**
 * What a LlamaEngine and its child process say to each other. A request's id is chosen by the
 * parent and never used twice in the life of a child.
 */
const id = z.number().int().nonnegative()

/** Where computations run: `auto` takes the best that works, false the processor alone. */
export const gpuSchema = z.union([z.enum(['auto', 'cuda', 'vulkan', 'metal']), z.literal(false)])

/** How far an engine is with getting ready. */
export const engineProgressSchema = z.strictObject({
  /** `verifying`, `converting`, `writing`, `ready`: the model file; `loading`: into memory. */
  phase: z.enum(['verifying', 'converting', 'writing', 'ready', 'loading']),
  /** Of this phase, 0 to 1. */
  fraction: z.number(),
  /** Something that the user should know. */
  note: z.string().optional(),
})

/** Comes first, once: which model to load and how. */
export const loadMessageSchema = z.strictObject({
  kind: z.literal('load'),
  /** A name that the model cache knows, or the path of a GGUF file. */
  model: z.string().min(1),
  modelsDirectory: z.string().min(1),
  slots: z.number().int().min(1).max(256),
  contextTokens: z.number().int().min(2),
  threads: z.union([z.number().int().min(1), z.literal('auto')]),
  gpu: gpuSchema,
})

/** Asks for an answer. */
export const generateMessageSchema = z.strictObject({
  kind: z.literal('generate'),
  id,
  messages: z.array(chatMessageSchema),
  options: generationOptionsSchema,
  /** How many tokens may be sent before more credit arrives. */
  credit: z.number().int().positive(),
})

/** From the parent to the child. */
export const toChildSchema = z.discriminatedUnion('kind', [
  loadMessageSchema,
  generateMessageSchema,
  /** The reader took tokens: as many more may be sent. */
  z.strictObject({ kind: z.literal('credit'), id, tokens: z.number().int().positive() }),
  z.strictObject({ kind: z.literal('cancel'), id }),
  /** End all work, free the model and leave. */
  z.strictObject({ kind: z.literal('close') }),
])

/** From the child to the parent. */
export const fromChildSchema = z.discriminatedUnion('kind', [
  /** The model is being prepared. */
  z.strictObject({ kind: z.literal('progress'), progress: engineProgressSchema }),
  z.strictObject({
    kind: z.literal('loaded'),
    /** What the model cache calls the model. */
    name: z.string(),
    sha256: z.string(),
    contextTokens: z.number().int().positive(),
    slots: z.number().int().positive(),
  }),
  /** The model cannot be loaded; the child leaves. */
  z.strictObject({ kind: z.literal('load-failed'), error: wireErrorSchema }),
  z.strictObject({ kind: z.literal('token'), id, token: tokenSchema }),
  z.strictObject({ kind: z.literal('end'), id, end: generationEndSchema }),
  z.strictObject({ kind: z.literal('failed'), id, error: wireErrorSchema }),
])

export type LoadMessage = z.infer<typeof loadMessageSchema>
export type ToChild = z.infer<typeof toChildSchema>
export type FromChild = z.infer<typeof fromChildSchema>
export type GenerateMessage = z.infer<typeof generateMessageSchema>
export type EngineProgress = z.infer<typeof engineProgressSchema>
export type GpuChoice = z.infer<typeof gpuSchema>
