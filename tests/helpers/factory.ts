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

// Test data: users, conversations, options, sessions and certificates. Each is valid by default;
// a test sets only what matters to it.

/** The name of a mesh whose root key nobody has. */
export const TEST_MESH = 'ab'.repeat(32)

const SESSION_LIFETIME_MS = 60_000

/** A user who can register: Ada by default. */
export function createAccount(name = 'ada'): AccountCredential {
  return { email: `${name}@example.com`, password: 'correct horse' }
}

/** A call to auth: from a gateway, on behalf of one of its clients. */
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

/** A request: a conversation whose turns alternate between user and assistant. */
export function createQuestion(...turns: readonly string[]): {
  messages: { role: 'user' | 'assistant'; content: string }[]
} {
  const messages = turns.map((content, index) => ({
    role: index % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content,
  }))
  return { messages }
}

/** Options of greedy decoding with a slight repetition penalty. */
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

/** The default options of tests of engines. */
export function optionsOf(options: GenerationOptionsInput = {}): GenerationOptions {
  return generationOptionsSchema.parse({ ...GREEDY, ...options })
}

/** A session as the auth worker with `keys` signs it; by default valid for a minute. */
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

/** The contents of a certificate; for a signed one see MeshAuthority. */
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
