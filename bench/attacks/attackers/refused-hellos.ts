import { HelloSpeaker } from '../../../tests/helpers/network/hello-speaker.js'
import type { Target } from '../attacker-messages.js'
import { type Attacker, repeated, Tally } from './attacker.js'
import { ended, strangersOn } from './stranger.js'

/** Connections that are under way at once. */
const AT_ONCE = 64
/** UDP ports that they come from. */
const PORTS = 8

/** Strangers who say a hello that cannot be accepted, each with a new key: all are refused. */
export async function refusedHellos(target: Target): Promise<Attacker> {
  const connect = await strangersOn(PORTS, target)
  const tally = new Tally()
  return repeated({
    atOnce: AT_ONCE,
    tally,
    async step(signal, index) {
      const stream = connect(index)
      try {
        if (!(await stream.opened)) throw new Error('Not accepted')
        const speaker = new HelloSpeaker(stream)
        speaker.say('hello', { nonsense: true })
        await ended(stream, signal)
        if (speaker.isClosed) tally.add('refused')
      } finally {
        stream.destroy()
      }
    },
  })
}
