import { setTimeout as sleep } from 'node:timers/promises'
import { proveByHand } from '../../tests/helpers/network/hostile-peer.js'
import type { Stage } from './attack.js'
import { connect, ended, findGateway, openDht } from './attackers/stranger.js'
import type { Honest } from './honest.js'
import { meshKeysOf, newIdentity } from './member.js'

/** How late an honest hello comes: a slow link to a busy worker. */
const DELAY_MS = 60

/**
 * How long a hello may go on after the end of a phase. A member that leaves in its hello is counted as one that
 * was refused, and the gateway ignores a source with many of them.
 */
const LINGER_MS = 500

/** Members who connect over a slow link: their hello comes late. */
export async function delayedHello(
  stage: Stage,
): Promise<{ readonly honest: Honest; notes(): string[] }> {
  const keys = await meshKeysOf(stage.mesh)
  const dht = openDht(stage.mesh)
  stage.cleanup(() => dht.destroy({ force: true }))
  const gateway = await findGateway(dht, stage.mesh)
  let refused = 0
  let connected = 0
  return {
    async honest(signal) {
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
        // One that the end of a phase has cut says nothing.
        if (!signal.aborted) refused += 1
        throw error
      } finally {
        signal.removeEventListener('abort', giveUp)
        stream.destroy()
      }
    },
    notes: () => [`${connected} of ${connected + refused} honest connections were let in`],
  }
}
