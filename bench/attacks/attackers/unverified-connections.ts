import { HelloSpeaker } from '../../../tests/helpers/network/hello-speaker.js'
import type { Target } from '../attacker-messages.js'
import { type Attacker, Counters, repeated } from './attacker.js'
import { ended, strangersOn } from './stranger.js'

/** More than the gateway accepts (`network.maxUnverifiedConnections`). */
const SILENT_CONNECTIONS = 1_500
const SILENT_PORTS = 16

const REFUSED_AT_ONCE = 64
const REFUSED_PORTS = 8

/** Strangers on 16 UDP ports who connect, each with a new key, and send nothing. */
export async function silentConnections(target: Target): Promise<Attacker> {
  const connect = await strangersOn(SILENT_PORTS, target)
  const counters = new Counters()
  return repeated({
    atOnce: SILENT_CONNECTIONS,
    leadMs: 1_500,
    pauseMs: 50,
    counters,
    async step(signal, index) {
      const stream = connect(index)
      stream.once('open', () => counters.add('accepted'))
      await ended(stream, signal)
      stream.destroy()
    },
  })
}

/** Strangers on 8 UDP ports who send an invalid hello, each with a new key. All are refused. */
export async function refusedHellos(target: Target): Promise<Attacker> {
  const connect = await strangersOn(REFUSED_PORTS, target)
  const counters = new Counters()
  return repeated({
    atOnce: REFUSED_AT_ONCE,
    counters,
    async step(signal, index) {
      const stream = connect(index)
      try {
        if (!(await stream.opened)) throw new Error('Not accepted')
        const speaker = new HelloSpeaker(stream)
        speaker.say('hello', { nonsense: true })
        await ended(stream, signal)
        if (speaker.isClosed) counters.add('refused')
      } finally {
        stream.destroy()
      }
    },
  })
}
