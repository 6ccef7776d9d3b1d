import { z } from 'zod'
import { accountCredentialSchema, loginSchema, sessionSchema } from './account.js'
import { conversationSchema } from './chat-message.js'
import { generationEndSchema, reproducibilitySchema, tokenSchema } from './generation.js'
import { generationOptionsSchema, seedSchema } from './generation-options.js'
import { stream, unary } from './method.js'
import { modelDetailsSchema } from './processor-protocol.js'

/** More models would fit into one answer. */
export const MAX_LISTED_MODELS = 1024

/** The token of a session. */
const credentialSchema = z.string().min(1).max(4096)

/** A model as a question names it. */
const modelNameSchema = z.string().min(1).max(200)

/** A model, and who serves it. Its context is what each of them has room for. */
const servedModelSchema = modelDetailsSchema.extend({
  name: z.string().max(200),
  /** How many connected processors serve it. */
  processors: z.number().int().positive(),
  /** How many of them have it in memory; the others load it when they are asked. */
  loaded: z.number().int().nonnegative(),
  /** Answers that they can make at once, together. */
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
    callers: ['client'],
  }),
  /** Opens a session, through the auth worker. */
  login: unary({
    name: 'gateway.login',
    request: loginSchema,
    response: sessionSchema,
    timeoutMs: 15_000,
    idempotent: true,
    callers: ['client'],
  }),
  /** Whose session it is, and how long it lasts. INVALID_CREDENTIAL when it is none of this mesh. */
  whoami: unary({
    name: 'gateway.whoami',
    request: z.strictObject({ credential: credentialSchema }),
    response: z.strictObject({
      userId: z.string().max(64),
      expiresInMs: z.number().int().nonnegative(),
    }),
    timeoutMs: 5_000,
    idempotent: true,
    callers: ['client'],
  }),
  /**
   * The models that can be asked now, in alphabetical order. If a model is named, the call fails as a
   * question for it would.
   */
  models: unary({
    name: 'gateway.models',
    request: z.strictObject({ credential: credentialSchema, model: modelNameSchema.optional() }),
    response: z.strictObject({ models: z.array(servedModelSchema).max(MAX_LISTED_MODELS) }),
    timeoutMs: 5_000,
    idempotent: true,
    callers: ['client'],
  }),
  /** Answers a conversation with a model that some processor serves. */
  infer: stream({
    name: 'gateway.infer',
    request: z.strictObject({
      credential: credentialSchema,
      /** A model's name. If left out, the default model answers: see helpers/routing/default-model.ts. */
      model: modelNameSchema.optional(),
      messages: conversationSchema,
      options: generationOptionsSchema.prefault({}),
    }),
    /** The first chunk also has what is needed to repeat or resume the answer. */
    chunk: tokenSchema.extend({
      /** The seed of the question, or the one that the gateway drew for it. */
      seed: seedSchema.optional(),
      /** The model that answers. */
      model: z.string().max(200).optional(),
      /** What the engine promises of the answer; left out if the model had to be loaded for it. */
      reproducibility: reproducibilitySchema.optional(),
    }),
    end: generationEndSchema.extend({
      /** The model that answered. */
      model: z.string(),
    }),
    timeoutMs: 600_000,
    idempotent: true,
    callers: ['client'],
  }),
}
