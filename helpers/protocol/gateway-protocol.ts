import { z } from 'zod'
import { accountCredentialSchema, sessionSchema } from './account.js'
import {
  conversationSchema,
  generationEndSchema,
  generationOptionsSchema,
  tokenSchema,
} from './generation.js'
import { stream, unary } from './method.js'

/** What a gateway answers: the one door for clients. */
export const gatewayProtocol = {
  /** Makes an account, by way of the auth worker. */
  register: unary({
    name: 'gateway.register',
    request: accountCredentialSchema,
    response: z.strictObject({ userId: z.string() }),
    timeoutMs: 15_000,
    idempotent: false,
    callers: ['client'],
  }),
  /** Opens a session, by way of the auth worker. */
  login: unary({
    name: 'gateway.login',
    request: accountCredentialSchema,
    response: sessionSchema,
    timeoutMs: 15_000,
    idempotent: true,
    callers: ['client'],
  }),
  /** Answers a conversation with a model that some processor serves. */
  infer: stream({
    name: 'gateway.infer',
    request: z.strictObject({
      /** The token of a session. */
      credential: z.string().min(1).max(4096),
      /** A model's name; left out, the mesh chooses. */
      model: z.string().min(1).max(200).optional(),
      messages: conversationSchema,
      options: generationOptionsSchema.prefault({}),
    }),
    chunk: tokenSchema,
    end: generationEndSchema.extend({
      /** The model that answered. */
      model: z.string(),
    }),
    timeoutMs: 600_000,
    idempotent: true,
    callers: ['client'],
  }),
}
