import { setTimeout as sleep } from 'node:timers/promises'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import { proveByHand } from '../../../tests/helpers/network/hostile-peer.js'
import type { Target } from '../attacker-messages.js'
import { meshKeysOf, newIdentity } from '../member.js'
import { type Attacker, Counters, repeated } from './attacker.js'
import { connect, ended, findGateway, openDht } from './stranger.js'

const CONNECTIONS = 48
const TRICKLE_MS = 300
const TRICKLE_BYTES = 64

/** One certificate with 48 connections, each of which sends a frame of 2 MiB without its end. */
export async function partialFrames(target: Target): Promise<Attacker> {
  const identity = newIdentity(await meshKeysOf(target))
  const dht = openDht(target)
  const gateway = await findGateway(dht, target)
  const counters = new Counters()
  const frameBytes = PROTOCOL_LIMITS.frameBytes - 1
  const header = Buffer.from([frameBytes & 0xff, (frameBytes >>> 8) & 0xff, frameBytes >>> 16])
  const most = Buffer.alloc(frameBytes - 64 * 1024)
  return repeated({
    atOnce: CONNECTIONS,
    pauseMs: 250,
    counters,
    async step(signal) {
      const stream = connect(dht, gateway, identity.keyPair)
      try {
        await proveByHand(stream, identity)
        const raw = Object(stream.rawStream)
        raw.write(Buffer.concat([header, most]))
        counters.add('frames started')
        // Sends more bytes from time to time, so that the peer does not count as lost.
        const trickle = async () => {
          while (!signal.aborted && !stream.destroyed) {
            await sleep(TRICKLE_MS)
            if (!stream.destroyed) raw.write(Buffer.alloc(TRICKLE_BYTES))
          }
        }
        await Promise.race([ended(stream, signal), trickle()])
      } finally {
        stream.destroy()
      }
    },
  })
}
