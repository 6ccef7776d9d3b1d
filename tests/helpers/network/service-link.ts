import { configSchema } from '../../../config/schema.js'
import { RpcAdapter } from '../../../facilities/network/calls/rpc-adapter.js'
import type { Service } from '../../../facilities/network/calls/service.js'
import { AcceptedConnections } from '../../../facilities/network/connection/accepted-connections.js'
import { memberOf } from '../../../facilities/network/connection/authenticate-connection.js'
import { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { ProtocolRegistry } from '../../../facilities/network/connection/protocol-registry.js'
import { ConnectionMeter } from '../../../facilities/network/limits/connection-meter.js'
import { PeerBounds } from '../../../facilities/network/limits/peer-bounds.js'
import { GuardedMux } from '../../../facilities/network/trust/guarded-mux.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { newKeyPair } from './mesh-authority.js'
import { pipeOpenStreams } from './piped-streams.js'

/** With a window of one chunk, a test can count the chunks that were requested from a handler. */
const LIMITS = { ...configSchema.parse({}).network, streamWindowChunks: 1, gatherMs: 0 }

/**
 * A connection to a service in this process, after its hello: both sides of the product over an encrypted pipe in
 * memory. Messages are encoded, validated and subject to credit, as between two workers.
 *
 * @param caller the caller that the service sees
 * @param peer the peer that the caller sees
 */
export async function linkTo(
  service: Service,
  { caller, peer }: { caller: PeerIdentity; peer: PeerIdentity },
): Promise<OutgoingConnection> {
  // Nothing times out, and no refusal is delayed.
  const clock = Object.assign(new VirtualClock(), { sleep: async () => undefined })
  const { initiator, responder } = await pipeOpenStreams()
  const end = (stream: typeof initiator, other: PeerIdentity) => {
    const bounds = new PeerBounds(LIMITS, clock)
    const meter = new ConnectionMeter(stream, { clock, bounds })
    const mux = new GuardedMux(stream, (bytes) => meter.sending(bytes))
    const member = memberOf(other)
    meter.authenticate(member)
    // The id of the calls' channel is the key of the answering side.
    const rpc = new RpcAdapter({ ...newKeyPair(), publicKey: peer.publicKey })
    return { bounds, meter, mux, member, peer: other, rpc, isDialled: stream.isInitiator }
  }
  const answering = end(responder, caller)
  const protocols = new ProtocolRegistry()
  const accepted = new AcceptedConnections({
    ...answering,
    service,
    clock,
    limits: LIMITS,
    observer: {},
  })
  accepted.offer(protocols)
  accepted.listen()
  protocols.answer(answering)
  const calling = end(initiator, peer)
  const { streamWindowChunks: windowChunks, gatherMs } = LIMITS
  const streams = { windowChunks, gatherMs, leaving: undefined }
  const connection = new OutgoingConnection(calling.mux, peer, { ...calling, clock, streams })
  new ProtocolRegistry().answer(calling)
  return connection
}
