import { z } from 'zod'
import { wireErrorSchema } from '../../../helpers/errors/wire-error.js'
import { chatMessageSchema, toolsSchema } from '../../../helpers/protocol/chat-message.js'
import {
  generationEndSchema,
  reproducibilitySchema,
  tokenSchema,
} from '../../../helpers/protocol/generation.js'
import {
  generationOptionsSchema,
  resumeFromSchema,
} from '../../../helpers/protocol/generation-options.js'
import { ENGINE_CAPABILITIES } from '../engine.js'

/**
 * The messages between a LlamaEngine and its child process. The parent chooses the id of a request and
 * never uses it twice for a child.
 */
const id = z.number().int().nonnegative()

/** The most text that one call tokenizes or embeds, in UTF-8. */
export const MAX_TEXT_BYTES = 1024 * 1024
/** Texts that one call embeds. */
export const MAX_EMBED_TEXTS = 256

const textSchema = z
  .string()
  .refine(
    (text) => Buffer.byteLength(text) <= MAX_TEXT_BYTES,
    `longer than ${MAX_TEXT_BYTES} bytes`,
  )

/** The device that computes: `auto` is the best that works, false the CPU only. */
export const gpuSchema = z.union([z.enum(['auto', 'cuda', 'vulkan', 'metal']), z.literal(false)])

/** The progress of starting an engine. */
export const engineProgressSchema = z.strictObject({
  /** The current phase: first those of preparing the model file, at last `loading` it into memory. */
  phase: z.string().min(1).max(32),
  /** The progress of this phase, 0 to 1. */
  fraction: z.number(),
  /** A notice for the user. */
  note: z.string().optional(),
  /** Only while the model's file is fetched. */
  bytesPerSecond: z.number().nonnegative().optional(),
})

/** Sent first, once: prepares a model, without loading it. */
export const prepareMessageSchema = z.strictObject({
  kind: z.literal('prepare'),
  /** A model reference: a name that the model cache knows, the path of a GGUF file, an address. */
  model: z.string().min(1),
  modelsDirectory: z.string().min(1),
  slots: z.number().int().min(1).max(256),
  contextTokens: z.number().int().min(2),
  threads: z.union([z.number().int().min(1), z.literal('auto')]),
  /** The most threads to compute with while other processes share the machine. */
  maxThreads: z.number().int().min(1).optional(),
  gpu: gpuSchema,
  gpuLayers: z.union([z.number().int().min(0), z.literal('auto')]),
  maxStallMs: z.number().int().min(1),
  /** How long a token may wait for others, to be sent with them. */
  gatherMs: z.number().int().min(0),
  hubUrl: z.string().optional(),
  hubToken: z.string().optional(),
})

/** Requests an answer. */
export const generateMessageSchema = z.strictObject({
  kind: z.literal('generate'),
  id,
  messages: z.array(chatMessageSchema),
  options: generationOptionsSchema,
  resumeFrom: resumeFromSchema.optional(),
  /** How many tokens may be sent before more credit arrives. */
  credit: z.number().int().positive(),
})

/** Requests a single result. */
export const callSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('tokenize'), text: textSchema }),
  z.strictObject({
    method: z.literal('detokenize'),
    tokens: z.array(z.number().int().nonnegative()).max(MAX_TEXT_BYTES),
  }),
  z.strictObject({
    method: z.literal('applyTemplate'),
    messages: z.array(chatMessageSchema),
    tools: toolsSchema.optional(),
  }),
  z.strictObject({
    method: z.literal('embed'),
    texts: z.array(textSchema).min(1).max(MAX_EMBED_TEXTS),
  }),
])

/** The result of a call. */
export const callResultSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('tokenize'), tokens: z.array(z.number()) }),
  z.strictObject({ method: z.literal('detokenize'), text: z.string() }),
  z.strictObject({
    method: z.literal('applyTemplate'),
    text: z.string(),
    tokens: z.array(z.number()),
  }),
  /** Each vector as 32-bit floats, little-endian, in base 64: a quarter of the size of decimal digits. */
  z.strictObject({ method: z.literal('embed'), vectors: z.array(z.base64()) }),
])

/** From the parent to the child. */
export const toChildSchema = z.discriminatedUnion('kind', [
  prepareMessageSchema,
  /** Loads the prepared model. */
  z.strictObject({ kind: z.literal('load') }),
  generateMessageSchema,
  z.strictObject({ kind: z.literal('call'), id, call: callSchema }),
  /** The reader has read tokens: as many more may be sent. */
  z.strictObject({ kind: z.literal('credit'), id, tokens: z.number().int().positive() }),
  z.strictObject({ kind: z.literal('cancel'), id }),
  /** Changes the most threads to compute with. */
  z.strictObject({ kind: z.literal('threads'), maxThreads: z.number().int().min(1) }),
  /** Answered by `pong`, unless the child hangs. */
  z.strictObject({ kind: z.literal('ping') }),
  /** Ends all work, frees the model and exits. */
  z.strictObject({ kind: z.literal('close') }),
])

/** What the child is doing: see {@link WorkReport}. */
const workReportSchema = z.strictObject({
  done: z.number().int().nonnegative(),
  tokens: z.number().int().nonnegative(),
  choosing: z
    .array(z.strictObject({ request: id, index: z.number().int().nonnegative() }))
    .readonly(),
})

/** From the child to the parent. */
export const fromChildSchema = z.discriminatedUnion('kind', [
  /** The model is being prepared. */
  z.strictObject({ kind: z.literal('progress'), progress: engineProgressSchema }),
  /** Its file can be loaded, which takes an estimated amount of memory. */
  z.strictObject({ kind: z.literal('prepared'), memoryBytes: z.number().nonnegative() }),
  z.strictObject({
    kind: z.literal('loaded'),
    /** The name of the model in the model cache. */
    name: z.string(),
    sha256: z.string(),
    fingerprint: z.string(),
    reproducibility: reproducibilitySchema,
    capabilities: z.array(z.enum(ENGINE_CAPABILITIES)),
    contextTokens: z.number().int().positive(),
    slots: z.number().int().positive(),
    memoryBytes: z.number().nonnegative(),
    /** The time per token, in milliseconds, as measured with this model on this machine. */
    tokenMs: z.number().nonnegative(),
  }),
  /** The model cannot be prepared or loaded. The parent ends the child. */
  z.strictObject({ kind: z.literal('load-failed'), error: wireErrorSchema }),
  /** Tokens of several answers that are sent together. */
  z.strictObject({
    kind: z.literal('tokens'),
    tokens: z.array(z.strictObject({ id, token: tokenSchema })),
  }),
  z.strictObject({ kind: z.literal('end'), id, end: generationEndSchema }),
  z.strictObject({ kind: z.literal('result'), id, result: callResultSchema }),
  z.strictObject({ kind: z.literal('failed'), id, error: wireErrorSchema }),
  /** A cancelled request has stopped. */
  z.strictObject({ kind: z.literal('cancelled'), id }),
  z.strictObject({ kind: z.literal('pong'), work: workReportSchema }),
])

export type PrepareMessage = z.infer<typeof prepareMessageSchema>
export type ToChild = z.infer<typeof toChildSchema>
export type FromChild = z.infer<typeof fromChildSchema>
export type TokensMessage = Extract<FromChild, { kind: 'tokens' }>
/** A token and the request that it belongs to. */
export type AddressedToken = TokensMessage['tokens'][number]
export type GenerateMessage = z.infer<typeof generateMessageSchema>
export type EngineCall = z.infer<typeof callSchema>
export type EngineCallResult = z.infer<typeof callResultSchema>
export type EngineProgress = z.infer<typeof engineProgressSchema>
export type GpuChoice = z.infer<typeof gpuSchema>
