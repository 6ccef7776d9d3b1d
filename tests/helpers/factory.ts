import type { Certificate } from '../../helpers/identity/certificate.js'
import type { Role } from '../../helpers/identity/roles.js'
import { signSessionToken } from '../../helpers/identity/session-token.js'
import type { AccountCredential } from '../../helpers/protocol/account.js'
import {
  type GenerationOptions,
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../helpers/protocol/generation-options.js'
import type { SessionKeys } from '../../workers/auth/session-keys.js'

// What tests are about: users, conversations, options, sessions and certificates. Each is valid as it comes;
// a test says only what matters to it.

/** The name of a mesh that nobody holds the root key of. */
export const TEST_MESH = 'ab'.repeat(32)

const SESSION_LIFETIME_MS = 60_000

/** Somebody who can register: Ada, unless told otherwise. */
export function createAccount(name = 'ada'): AccountCredential {
  return { email: `${name}@example.com`, password: 'correct horse' }
}

/** Who asks auth on behalf of whom: a gateway and one of its clients. */
export function createAsker(client = 1, gateway = 0): { gateway: string; peer: string } {
  const key = (byte: number) => Buffer.alloc(32, byte).toString('hex')
  return { gateway: key(gateway), peer: key(client) }
}

/** A user's id. */
export function createUserId(name = 'ada'): string {
  return `usr_${name
    .toUpperCase()
    .replaceAll(/[ILOU]/g, 'X')
    .padStart(26, '0')}`
}

/** What a user asks: a conversation whose turns are the user's and the assistant's alternately. */
export function createQuestion(...turns: readonly string[]): {
  messages: { role: 'user' | 'assistant'; content: string }[]
} {
  const messages = turns.map((content, index) => ({
    role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content,
  }))
  return { messages }
}

/** Options that leave nothing to the model: the likeliest token, and a little less often a repeated one. */
export const GREEDY = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repeatPenalty: 1.1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 0,
} as const

/** What tests ask an engine for unless they say otherwise. */
export function optionsOf(options: GenerationOptionsInput = {}): GenerationOptions {
  return generationOptionsSchema.parse({ ...GREEDY, ...options })
}

/** A session as the auth worker that holds `keys` signs one, a minute long unless told otherwise. */
export function createSession(
  keys: SessionKeys,
  options: {
    nowMs: number
    userId?: string
    mesh?: string
    lifetimeMs?: number
    isLocal?: boolean
  },
): string {
  return signSessionToken({
    userId: createUserId(),
    mesh: TEST_MESH,
    lifetimeMs: SESSION_LIFETIME_MS,
    keyId: keys.keyId,
    privateKeyPem: keys.privateKey,
    ...options,
  })
}

/** What a certificate says; for one that is signed see MeshAuthority. */
export function createCertificate(role: Role, changes: Partial<Certificate> = {}): Certificate {
  return {
    mesh: TEST_MESH,
    publicKey: '00'.repeat(32),
    roles: [role],
    name: `${role}@here`,
    serial: '01J0000000000000000000TEST',
    expiresAt: Date.UTC(2026, 0, 1, 1),
    ...changes,
  }
}
