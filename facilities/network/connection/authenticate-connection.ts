import type HyperDHT from 'hyperdht'
import type { Identity, PeerIdentity } from '../../../helpers/identity/identity.js'
import type { Clock } from '../../clock/clock.js'
import { ConnectionMeter } from '../limits/connection-meter.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { PeerBounds } from '../limits/peer-bounds.js'
import type { Member } from '../limits/peer-quota.js'
import { GuardedMux } from '../trust/guarded-mux.js'
import { exchangeHello } from '../trust/hello.js'
import type { ConnectionObserver } from '../watch/network-observer.js'
import type { AuthenticatedConnection, ProtocolRegistry } from './protocol-registry.js'

/** How long a refusal may take to reach the other end before the connection is cut. */
const REFUSAL_LINGER_MS = 1000

/**
 * Brings a connection that has just opened through the hello, and answers the protocols on it from then on.
 *
 * @param options.onMac called when the MAC of the peer has arrived, which strangers cannot compute
 * @param options.admit called when the peer is authenticated, before it is welcomed; refuses it by throwing
 * @param options.attach opens channels of this end on the authenticated connection, synchronously
 * @returns what `attach` returned
 * @throws StarlingError as {@link exchangeHello} and `admit`; the connection is closed then
 */
export async function authenticateConnection<Attached>(
  stream: HyperDHT.SecretStream,
  identity: Identity,
  options: {
    clock: Clock
    limits: NetworkLimits
    bounds: PeerBounds
    protocols: ProtocolRegistry
    observer: ConnectionObserver
    onMac?: ((isMember: boolean) => void) | undefined
    admit?: (member: Member, meter: ConnectionMeter) => void
    attach: (connection: AuthenticatedConnection) => Attached
  },
): Promise<Attached> {
  const { clock, limits, protocols, observer } = options
  const meter = new ConnectionMeter(stream, options)
  const mux = new GuardedMux(stream, (bytes) => meter.sending(bytes))
  let attached: { readonly to: Attached } | undefined
  // In the tick in which the peer is authenticated: the multiplexer ignores the close of an unclaimed channel, and
  // the answer to a caller that has left would continue.
  const attach = (peer: PeerIdentity) => {
    const member = memberOf(peer)
    meter.authenticate(member)
    const connection = { mux, peer, member, meter, isDialled: stream.isInitiator }
    attached = { to: options.attach(connection) }
    protocols.answer(connection, (channel) => observer.onChannelRefused?.(channel))
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
