import { z } from 'zod'
import { publicKeySchema } from '../identity/certificate.js'
import { roleSchema } from '../identity/roles.js'

/**
 * The most workers of one role that are remembered. If there are more, the one that was authenticated
 * longest ago is forgotten.
 */
export const MAX_REMEMBERED_PER_ROLE = 1_024

/** Addresses of one worker that are remembered. */
const MAX_ADDRESSES = 4

/** An IPv4 address and a UDP port: HyperDHT knows no others. */
export const peerAddressSchema = z.strictObject({
  host: z.ipv4(),
  port: z.number().int().min(1).max(65_535),
})

/** The address of a worker. */
export type PeerAddress = z.infer<typeof peerAddressSchema>

/** A worker that was authenticated, and its addresses at that time. */
export const rememberedPeerSchema = z.strictObject({
  role: roleSchema,
  /** Hexadecimal. */
  publicKey: publicKeySchema,
  addresses: z.array(peerAddressSchema).min(1).max(MAX_ADDRESSES),
  /** Milliseconds since 1970. */
  provedAt: z.number().int().min(0),
})

export type RememberedPeer = z.infer<typeof rememberedPeerSchema>

/**
 * The union of two lists. A worker that is on both keeps the newer entry. The limit applies to
 * each role, so that workers of one role do not displace those of another.
 *
 * @returns the peers, the one that was authenticated last first
 */
export function mergeRemembered(
  one: readonly RememberedPeer[],
  other: readonly RememberedPeer[],
): RememberedPeer[] {
  const latest = new Map<string, RememberedPeer>()
  for (const peer of [...one, ...other]) {
    const name = `${peer.role} ${peer.publicKey}`
    const known = latest.get(name)
    if (known === undefined || peer.provedAt > known.provedAt) latest.set(name, peer)
  }
  const counts = new Map<string, number>()
  return [...latest.values()]
    .sort((a, b) => b.provedAt - a.provedAt)
    .filter(({ role }) => {
      const count = (counts.get(role) ?? 0) + 1
      counts.set(role, count)
      return count <= MAX_REMEMBERED_PER_ROLE
    })
}

/** The addresses of a list without duplicates, as many as are remembered. Invalid ones are left out. */
export function usableAddresses(addresses: readonly PeerAddress[]): PeerAddress[] {
  const usable = new Map<string, PeerAddress>()
  for (const { host, port } of addresses) {
    const { success, data } = peerAddressSchema.safeParse({ host, port })
    if (success) usable.set(`${host}:${port}`, data)
  }
  return [...usable.values()].slice(0, MAX_ADDRESSES)
}
