import type { Target } from '../attacker-messages.js'
import { type Attacker, repeated, Tally } from './attacker.js'
import { ended, strangersOn } from './stranger.js'

/** More than the gateway has places for. */
const CONNECTIONS = 1_500
/** UDP ports that they come from. */
const PORTS = 16

/** Strangers who connect, each with a new key, and never say hello. */
export async function silentConnections(target: Target): Promise<Attacker> {
  const connect = await strangersOn(PORTS, target)
  const tally = new Tally()
  return repeated({
    atOnce: CONNECTIONS,
    leadMs: 1_500,
    pauseMs: 50,
    tally,
    async step(signal, index) {
      const stream = connect(index)
      stream.once('open', () => tally.add('accepted'))
      await ended(stream, signal)
      stream.destroy()
    },
  })
}
