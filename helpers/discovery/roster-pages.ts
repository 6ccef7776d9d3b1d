import sodium from 'sodium-native'
import { decodeEntry, ENTRY_BYTES, encodeEntry, type RosterEntry } from './roster-entry.js'

// A page is a nonce and the sealed rest: version, number of entries, hash of the next page, entries.
// The first page is a mutable record of the DHT, the others are immutable records: each page contains
// the hash of the next one, so that the signature over the first page covers all of them.

/** The largest page, in bytes. A mutable record of the DHT holds 1,870 bytes. */
export const MAX_PAGE_BYTES = 1000

/** As many as fit into {@link MAX_PAGE_BYTES}. */
export const ENTRIES_PER_PAGE = 28

/** The most pages of one roster. */
export const MAX_ROSTER_PAGES = 37

const VERSION = 1
const PURPOSE = 'starling/roster/1'
const HASH_BYTES = 32
const HEADER_BYTES = 2 + HASH_BYTES
const NONCE_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
const TAG_BYTES = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES
const NO_NEXT_PAGE = Buffer.alloc(HASH_BYTES)

/** What the pages of a roster are sealed with and bound to. */
export interface RosterSeal {
  /** The root public key, hexadecimal: the name of the mesh. */
  readonly mesh: string
  /** The mesh secret, 32 bytes. */
  readonly secret: Uint8Array
}

/** The content of one page. */
export interface RosterPage {
  readonly entries: readonly RosterEntry[]
  /** The hash of the next page; null on the last one. */
  readonly next: Uint8Array | null
}

/**
 * The pages of a roster, the first one first. The same entries give the same pages, apart from the first,
 * which is bound to the sequence.
 *
 * @param entries at most MAX_ROSTER_ENTRIES, each key once
 */
export function sealPages(
  entries: readonly RosterEntry[],
  sequence: number,
  seal: RosterSeal,
): Uint8Array[] {
  const encoded = entries.map(encodeEntry).sort(Buffer.compare)
  const pages: Uint8Array[] = []
  const count = Math.max(1, Math.ceil(encoded.length / ENTRIES_PER_PAGE))
  let next: Uint8Array = NO_NEXT_PAGE
  // From the last to the first, because each page contains the hash of the one that follows.
  for (let number = count - 1; number >= 0; number -= 1) {
    const own = encoded.slice(number * ENTRIES_PER_PAGE, (number + 1) * ENTRIES_PER_PAGE)
    const content = Buffer.concat([Buffer.of(VERSION, own.length), next, ...own])
    const page = sealPage(content, contextOf(seal, number === 0 ? sequence : null), seal)
    pages.unshift(page)
    next = pageHash(page)
  }
  return pages
}

/**
 * Opens one page.
 *
 * @param sequence that of the roster for the first page; null for the others
 * @returns undefined if the page was changed, is of another mesh or another sequence, or is malformed
 */
export function openPage(
  page: Uint8Array,
  sequence: number | null,
  seal: RosterSeal,
): RosterPage | undefined {
  const contentBytes = page.byteLength - NONCE_BYTES - TAG_BYTES
  if (page.byteLength > MAX_PAGE_BYTES || contentBytes < HEADER_BYTES) return undefined
  const content = Buffer.alloc(contentBytes)
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      content,
      null,
      page.subarray(NONCE_BYTES),
      contextOf(seal, sequence),
      page.subarray(0, NONCE_BYTES),
      sealKey(seal),
    )
  } catch {
    return undefined
  }
  return parseContent(content)
}

/** The address of a page among the immutable records of the DHT: BLAKE2b, 32 bytes. */
export function pageHash(page: Uint8Array): Uint8Array {
  const hash = Buffer.alloc(HASH_BYTES)
  sodium.crypto_generichash(hash, page)
  return hash
}

function parseContent(content: Buffer): RosterPage | undefined {
  const [version, count = 0] = content
  if (version !== VERSION || content.byteLength !== HEADER_BYTES + count * ENTRY_BYTES) {
    return undefined
  }
  const next = content.subarray(2, HEADER_BYTES)
  const isLast = next.equals(NO_NEXT_PAGE)
  // Only the last page may have room left.
  if (!isLast && count !== ENTRIES_PER_PAGE) return undefined
  const entries: RosterEntry[] = []
  for (let at = HEADER_BYTES; at < content.byteLength; at += ENTRY_BYTES) {
    const entry = decodeEntry(content.subarray(at, at + ENTRY_BYTES))
    if (entry === undefined) return undefined
    entries.push(entry)
  }
  return { entries, next: isLast ? null : next }
}

function sealPage(content: Buffer, context: Buffer, seal: RosterSeal): Buffer {
  const key = sealKey(seal)
  // Derived from the content instead of drawn: the same nonce can only come with the same content.
  const nonce = Buffer.alloc(NONCE_BYTES)
  sodium.crypto_generichash(nonce, Buffer.concat([context, content]), key)
  const sealed = Buffer.alloc(content.byteLength + TAG_BYTES)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, content, context, null, nonce, key)
  return Buffer.concat([nonce, sealed])
}

function sealKey({ secret }: RosterSeal): Buffer {
  const key = Buffer.alloc(32)
  sodium.crypto_generichash(key, Buffer.from('starling/roster-seal/1'), secret)
  return key
}

/** What a page is bound to besides its content. */
function contextOf({ mesh }: RosterSeal, sequence: number | null): Buffer {
  const position = Buffer.alloc(9)
  if (sequence !== null) {
    position.writeUInt8(1, 0)
    position.writeBigUInt64BE(BigInt(sequence), 1)
  }
  return Buffer.concat([Buffer.from(`${PURPOSE}\0`), Buffer.from(mesh, 'hex'), position])
}
