import encodings from 'compact-encoding'
import sodium from 'sodium-native'
import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import type { KeyPair } from '../identity/key-pair.js'
import { encodeEntry, MAX_ROSTER_ENTRIES, type RosterEntry } from './roster-entry.js'
import {
  MAX_PAGE_BYTES,
  MAX_ROSTER_PAGES,
  openPage,
  pageHash,
  type RosterPage,
  type RosterSeal,
  sealPages,
} from './roster-pages.js'

/** Of a page in base64. */
const MAX_PAGE_CHARACTERS = 4 * Math.ceil(MAX_PAGE_BYTES / 3)

/** MUTABLE_PUT in hyperdht/lib/constants.js. */
const MUTABLE_PUT = 6

/** A roster as it is stored and handed over. */
export interface SignedRoster {
  /** The newest roster has the highest one. */
  readonly sequence: number
  /** The signature of the roster key over the sequence and the first page, 64 bytes. */
  readonly signature: Uint8Array
  /** At least one; each is sealed. See roster-pages.ts. */
  readonly pages: readonly Uint8Array[]
}

/**
 * A roster as JSON. A limit on the sequence is not needed: only the roster key signs one.
 */
export const rosterSchema = z.strictObject({
  sequence: z.number().int().positive(),
  signature: z.base64().max(128),
  pages: z.array(z.base64().max(MAX_PAGE_CHARACTERS)).min(1).max(MAX_ROSTER_PAGES),
})

export type EncodedRoster = z.infer<typeof rosterSchema>

/** A roster as JSON. */
export function encodeRoster({ sequence, signature, pages }: SignedRoster): EncodedRoster {
  const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  return { sequence, signature: encode(signature), pages: pages.map(encode) }
}

/** The roster in its JSON. Not verified yet. */
export function decodeRoster({ sequence, signature, pages }: EncodedRoster): SignedRoster {
  const decode = (text: string) => Buffer.from(text, 'base64')
  return { sequence, signature: decode(signature), pages: pages.map(decode) }
}

/** What is needed to read a roster. */
export interface RosterKeys extends RosterSeal {
  /** The public key that signs the roster, 32 bytes. */
  readonly publicKey: Uint8Array
}

/**
 * Makes a roster.
 *
 * @param entries each key once
 * @param keyPair the roster key
 * @throws RangeError if there are more than {@link MAX_ROSTER_ENTRIES}
 */
export function signRoster(
  entries: readonly RosterEntry[],
  sequence: number,
  { keyPair, seal }: { keyPair: KeyPair; seal: RosterSeal },
): SignedRoster {
  if (entries.length > MAX_ROSTER_ENTRIES) {
    throw new RangeError(`A roster has at most ${MAX_ROSTER_ENTRIES} entries`)
  }
  const pages = sealPages(entries, sequence, seal)
  const signature = Buffer.alloc(sodium.crypto_sign_BYTES)
  const [head = Buffer.alloc(0)] = pages
  sodium.crypto_sign_detached(signature, recordToSign(sequence, head), keyPair.secretKey)
  return { sequence, signature, pages }
}

/**
 * The first page of a roster that was received.
 *
 * @throws StarlingError PROTOCOL_VIOLATION if it is not signed by the roster key, or not sealed with the
 *   secret of this mesh
 */
export function openHead(
  { sequence, signature, pages: [head] }: SignedRoster,
  keys: RosterKeys,
): RosterPage {
  const isSigned =
    head !== undefined &&
    signature.byteLength === sodium.crypto_sign_BYTES &&
    sodium.crypto_sign_verify_detached(signature, recordToSign(sequence, head), keys.publicKey)
  if (!isSigned) throw invalid('is not signed by the roster key of this mesh')
  const page = openPage(head, sequence, keys)
  if (page === undefined) throw invalid('cannot be opened with the secret of this mesh')
  return page
}

/**
 * All entries of a roster that was received, in order.
 *
 * @throws StarlingError PROTOCOL_VIOLATION if any part of it differs from what the roster key signed
 */
export function openRoster(roster: SignedRoster, keys: RosterKeys): RosterEntry[] {
  const { pages } = roster
  if (pages.length > MAX_ROSTER_PAGES) throw invalid('has too many pages')
  let page = openHead(roster, keys)
  const entries = [...page.entries]
  for (const bytes of pages.slice(1)) {
    if (page.next === null || Buffer.compare(page.next, pageHash(bytes)) !== 0) {
      throw invalid('has a page that does not belong to it')
    }
    const following = openPage(bytes, null, keys)
    if (following === undefined) throw invalid('has a page that cannot be opened')
    entries.push(...following.entries)
    page = following
  }
  if (page.next !== null) throw invalid('has a missing page')
  assertOrdered(entries)
  return entries
}

/** In ascending order, and each key once. */
function assertOrdered(entries: readonly RosterEntry[]): void {
  if (entries.length > MAX_ROSTER_ENTRIES) throw invalid('has too many entries')
  const keys = new Set(entries.map(({ publicKey }) => Buffer.from(publicKey).toString('hex')))
  const encoded = entries.map(encodeEntry)
  const isOrdered = encoded.every((entry, i) => {
    const before = encoded[i - 1]
    return before === undefined || Buffer.compare(before, entry) < 0
  })
  if (!isOrdered || keys.size !== entries.length) throw invalid('has entries that are out of order')
}

/**
 * The bytes that are signed: those of a mutable record of HyperDHT, so that any worker can store the
 * roster there without the secret key. See `signMutable` in hyperdht/lib/persistent.js.
 */
function recordToSign(sequence: number, value: Uint8Array): Buffer {
  const content = Buffer.concat([
    encodings.encode(encodings.uint, sequence),
    encodings.encode(encodings.buffer, value),
  ])
  const namespace = hash(
    Buffer.concat([hash(Buffer.from('hyperswarm/dht')), Buffer.of(MUTABLE_PUT)]),
  )
  return Buffer.concat([namespace, hash(content)])
}

function hash(bytes: Uint8Array): Buffer {
  const digest = Buffer.alloc(32)
  sodium.crypto_generichash(digest, bytes)
  return digest
}

function invalid(what: string): StarlingError {
  return new StarlingError('PROTOCOL_VIOLATION', `The roster ${what}`)
}
