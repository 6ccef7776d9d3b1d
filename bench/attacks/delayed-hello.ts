import { setTimeout as sleep } from 'node:timers/promises'
import { proveByHand } from '../../tests/helpers/network/hostile-peer.js'
import type { AttackContext } from './attack.js'
import { connect, ended, findGateway, openDht } from './attackers/stranger.js'
import { meshKeysOf, newIdentity } from './member.js'
import type { Operation } from './regular-clients.js'

/** The delay of the hello, as on a slow link to a busy worker. */
const DELAY_MS = 60

/**
 * How long a hello may continue after the end of a phase. The gateway counts a hello that breaks off as refused,
 * and ignores a source with many refused hellos.
 */
const LINGER_MS = 500

/** Regular clients on a slow link, whose hello is delayed. */
export async function delayedHello(
  context: AttackContext,
): Promise<{ readonly operation: Operation; notes(): string[] }> {
  const keys = await meshKeysOf(context.mesh)
  const dht = openDht(context.mesh)
  context.cleanup(() => dht.destroy({ force: true }))
  const gateway = await findGateway(dht, context.mesh)
  let refused = 0
  let connected = 0
  return {
    async operation(signal) {
      const startedAt = performance.now()
      const identity = newIdentity(keys)
      const stream = connect(dht, gateway, identity.keyPair)
      const giveUp = () => void setTimeout(() => stream.destroy(), LINGER_MS)
      signal.addEventListener('abort', giveUp, { once: true })
      try {
        await proveByHand(stream, identity, () => sleep(DELAY_MS))
        connected += 1
        const tookMs = performance.now() - startedAt
        stream.end()
        await ended(stream, signal)
        return tookMs
      } catch (error) {
        // Operations that the end of a phase cancels are not counted.
        if (!signal.aborted) refused += 1
        throw error
      } finally {
        signal.removeEventListener('abort', giveUp)
        stream.destroy()
      }
    },
    notes: () => [`${connected} of ${connected + refused} regular connections were accepted`],
  }
}
