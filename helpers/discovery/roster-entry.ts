import type { Role } from '../identity/roles.js'

/** The most workers in one roster: 37 pages. */
export const MAX_ROSTER_ENTRIES = 1024

/** A public key and a byte of roles. */
export const ENTRY_BYTES = 33

const KEY_BYTES = 32

/** One worker of a roster. */
export interface RosterEntry {
  /** 32 bytes: the key that the worker listens with. */
  readonly publicKey: Uint8Array
  /** At least one of those that serve. */
  readonly roles: readonly Role[]
}

/** The bit of each role. Clients serve nothing and are not listed. */
const ROLE_BITS: Readonly<Partial<Record<Role, number>>> = { auth: 1, gateway: 2, processor: 4 }
const ALL_BITS = 7

const LISTED_ROLES: readonly Role[] = ['auth', 'gateway', 'processor']

/** Those roles of a certificate that a roster lists. */
export function listedRoles(roles: readonly string[]): Role[] {
  return LISTED_ROLES.filter((role) => roles.includes(role))
}

/** An entry as bytes: its roles, then its key. Entries are ordered by these bytes. */
export function encodeEntry({ publicKey, roles }: RosterEntry): Buffer {
  return Buffer.concat([Buffer.of(bitsOf(roles)), publicKey])
}

/** The entry in {@link ENTRY_BYTES} bytes; undefined if the bytes are invalid. */
export function decodeEntry(bytes: Uint8Array): RosterEntry | undefined {
  const [bits = 0] = bytes
  if (bits === 0 || (bits & ~ALL_BITS) !== 0) return undefined
  const publicKey = Buffer.from(bytes.subarray(1, 1 + KEY_BYTES))
  return { publicKey, roles: rolesOf(bits) }
}

function bitsOf(roles: readonly Role[]): number {
  return roles.reduce((bits, role) => bits | (ROLE_BITS[role] ?? 0), 0)
}

function rolesOf(bits: number): Role[] {
  return LISTED_ROLES.filter((role) => (bits & (ROLE_BITS[role] ?? 0)) !== 0)
}
