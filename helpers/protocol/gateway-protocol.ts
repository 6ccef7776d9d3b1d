import { z } from 'zod'
import { accountCredentialSchema, loginSchema, sessionSchema } from './account.js'
import { roles } from './call-policy.js'
import { conversationSchema } from './chat-message.js'
import { answerHeadSchema, generationEndSchema } from './generation.js'
import { generationOptionsSchema, seedSchema } from './generation-options.js'
import { stream, unary } from './method.js'
import { modelDetailsSchema } from './processor-protocol.js'
import { tokenChunks } from './token-chunk.js'

/** Fewer than would fit into one answer. */
export const MAX_LISTED_MODELS = 1024

/** The token of a session. */
const credentialSchema = z.string().min(1).max(4096)

/** The name of a model in a request. */
const modelNameSchema = z.string().min(1).max(200)

/** A model, and how many processors serve it. Its context is the smallest of all of them. */
const servedModelSchema = modelDetailsSchema.extend({
  name: z.string().max(200),
  /** How many connected processors serve it. */
  processors: z.number().int().positive(),
  /** How many of them have it in memory; the others load it on request. */
  loaded: z.number().int().nonnegative(),
  /** Their slots together. */
  slots: z.number().int().nonnegative(),
})

export type ServedModel = z.infer<typeof servedModelSchema>

/** What a gateway answers. Clients call gateways only. */
export const gatewayProtocol = {
  /** Creates an account, through the auth worker. */
  register: unary({
    name: 'gateway.register',
    request: accountCredentialSchema,
    response: z.strictObject({ userId: z.string() }),
    timeoutMs: 15_000,
    idempotent: false,
    callers: roles('client'),
  }),
  /** Opens a session, through the auth worker. */
  login: unary({
    name: 'gateway.login',
    request: loginSchema,
    response: sessionSchema,
    timeoutMs: 15_000,
    idempotent: true,
    callers: roles('client'),
  }),
  /** The user and the expiry of a session. INVALID_CREDENTIAL if it is not valid in this mesh. */
  whoami: unary({
    name: 'gateway.whoami',
    request: z.strictObject({ credential: credentialSchema }),
    response: z.strictObject({
      userId: z.string().max(64),
      expiresInMs: z.number().int().nonnegative(),
    }),
    timeoutMs: 5_000,
    idempotent: true,
    callers: roles('client'),
  }),
  /**
   * The models that are available now, in alphabetical order. If a model is named, the call fails as a
   * request for it would.
   */
  models: unary({
    name: 'gateway.models',
    request: z.strictObject({ credential: credentialSchema, model: modelNameSchema.optional() }),
    response: z.strictObject({ models: z.array(servedModelSchema).max(MAX_LISTED_MODELS) }),
    timeoutMs: 5_000,
    idempotent: true,
    callers: roles('client'),
  }),
  /** Answers a conversation with a model of a connected processor. */
  infer: stream({
    name: 'gateway.infer',
    request: z.strictObject({
      credential: credentialSchema,
      /** A model's name. If left out, the default model answers: see helpers/routing/default-model.ts. */
      model: modelNameSchema.optional(),
      messages: conversationSchema,
      options: generationOptionsSchema.prefault({}),
    }),
    /** What is needed to repeat or resume the answer. */
    head: answerHeadSchema.extend({
      /** The seed of the request, or the one that the gateway drew for it. */
      seed: seedSchema,
      /** The model that answers. */
      model: z.string().max(200),
    }),
    chunk: tokenChunks,
    end: generationEndSchema.extend({
      /** The model that answered. */
      model: z.string(),
    }),
    timeoutMs: 600_000,
    idempotent: true,
    callers: roles('client'),
  }),
}
