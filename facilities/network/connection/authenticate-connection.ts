import type HyperDHT from 'hyperdht'
import type Protomux from 'protomux'
import type { Identity, PeerIdentity } from '../../../helpers/identity/identity.js'
import type { Clock } from '../../clock/clock.js'
import { RPC_PROTOCOL } from '../calls/rpc-adapter.js'
import { STREAM_PROTOCOL } from '../calls/stream-wire.js'
import { ConnectionMeter } from '../limits/connection-meter.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { PeerBounds } from '../limits/peer-bounds.js'
import type { Member } from '../limits/peer-quota.js'
import { GuardedMux } from '../trust/guarded-mux.js'
import { exchangeHello } from '../trust/hello.js'
import { HEARTBEAT_PROTOCOL, startHeartbeat } from './heartbeat.js'

/** How long a refusal may take to reach the other end before the connection is cut. */
const REFUSAL_LINGER_MS = 1000

/** A connection whose both ends are authenticated. */
export interface AuthenticatedConnection {
  readonly mux: Protomux
  readonly peer: PeerIdentity
  /** The peer as limits see it. */
  readonly member: Member
  readonly meter: ConnectionMeter
}

/**
 * Brings a connection that has just opened through the hello, and keeps its heartbeat from then on.
 *
 * The other end may finish the hello first and open its channels at once; an unclaimed channel is
 * rejected, and @hyperswarm/rpc then drops the connection. So they are held until `attach` has claimed
 * ours.
 *
 * @param onMac called when the MAC of the peer has arrived, which strangers cannot compute
 * @param admit called when the peer is authenticated, before it is welcomed; refuses it by throwing
 * @param attach claims channels on the authenticated connection, synchronously
 * @param onStream claims a stream that the peer opens, once the connection is authenticated
 * @throws StarlingError as {@link exchangeHello} and `admit`; the connection is closed then
 */
export async function authenticateConnection<Attached>(
  stream: HyperDHT.SecretStream,
  identity: Identity,
  options: {
    clock: Clock
    limits: NetworkLimits
    bounds: PeerBounds
    onMac?: ((isMember: boolean) => void) | undefined
    admit?: (member: Member, meter: ConnectionMeter) => void
    attach: (connection: AuthenticatedConnection) => Attached
    onStream?: (connection: AuthenticatedConnection, id: Uint8Array | null) => void
  },
): Promise<Attached> {
  const { clock, limits } = options
  const meter = new ConnectionMeter(stream, options)
  const mux = new GuardedMux(stream, (bytes) => meter.sending(bytes))
  let release: (connection: AuthenticatedConnection | null) => void = () => undefined
  const authenticated = new Promise<AuthenticatedConnection | null>((resolve) => {
    release = resolve
  })
  const hold = async () => void (await authenticated)
  let open: AuthenticatedConnection | null = null
  mux.pair({ protocol: RPC_PROTOCOL }, hold)
  mux.pair({ protocol: HEARTBEAT_PROTOCOL }, hold)
  mux.pair({ protocol: STREAM_PROTOCOL }, async (id) => {
    // Claimed in the tick in which it was opened: the multiplexer ignores the close of an unclaimed
    // channel, and the answer to a caller that has left would continue.
    const connection = open ?? (await authenticated)
    if (connection !== null) options.onStream?.(connection, id)
  })
  let attached: { readonly to: Attached } | undefined
  // In the tick in which the peer is authenticated, for the same reason.
  const attach = (peer: PeerIdentity) => {
    const member = memberOf(peer)
    meter.authenticate(member)
    const connection = { mux, peer, member, meter }
    const stopHeartbeat = startHeartbeat(mux, {
      clock,
      intervalMs: limits.heartbeatIntervalMs,
      missedLimit: limits.heartbeatMissedLimit,
      onSilence: () => stream.destroy(),
    })
    stream.once('close', stopHeartbeat)
    attached = { to: options.attach(connection) }
    open = connection
    release(connection)
  }
  let isMember = false
  try {
    await exchangeHello(mux, identity, {
      clock,
      timeoutMs: limits.helloTimeoutMs,
      onMac: (isTheirsRight) => {
        isMember = isTheirsRight
        options.onMac?.(isMember)
      },
      admit: (peer) => options.admit?.(memberOf(peer), meter),
      onAuthenticated: attach,
    })
    if (attached === undefined) throw new Error('The hello ended without a peer')
    return attached.to
  } catch (error) {
    release(null)
    // The limit for unverified peers applies until the connection is cut.
    if (!isMember) {
      stream.destroy()
    } else if (!stream.destroyed) {
      stream.end()
      const cut = clock.schedule(REFUSAL_LINGER_MS, () => stream.destroy())
      stream.once('close', () => cut.cancel())
    }
    throw error
  }
}

export function memberOf({ publicKey, certificate: { name, roles } }: PeerIdentity): Member {
  return {
    key: Buffer.from(publicKey).toString('hex'),
    name,
    isWorker: roles.some((role) => role !== 'client'),
  }
}
