import type { Target } from '../attacker-messages.js'
import { type Attacker, byNewMember, Counters, repeated } from './attacker.js'

/** How many chunks of each answer are read. */
const READ_CHUNKS = 3
/** The most unread answers at once. */
const MAX_ANSWERS = 256

/** Makes the model repeat one token, so that it does not end the answer by itself. */
const ENDLESS = {
  maxTokens: 3_000,
  repeatPenalty: 1,
  allowRepetition: true,
  logitBias: { '61': 100 },
} as const

/** One user who opens as many answers as possible and reads only a few chunks of each. */
export async function stalledReaders(target: Target): Promise<Attacker> {
  const counters = new Counters()
  return byNewMember(target, counters, ({ client }) => {
    const answers = new Set<AsyncGenerator<unknown>>()
    const opening = repeated({
      atOnce: 8,
      pauseMs: 100,
      counters,
      async step(signal) {
        if (answers.size >= MAX_ANSWERS) return
        const messages = [{ role: 'user' as const, content: 'Tell me a long story.' }]
        const answer = client.ask({ messages, options: ENDLESS }, signal)
        for (let chunk = 0; chunk < READ_CHUNKS; chunk += 1) await answer.next()
        answers.add(answer)
        counters.add('unread')
      },
    })
    return {
      ...opening,
      async stop() {
        await opening.stop()
        await Promise.all([...answers].map((answer) => answer.return(undefined).catch(() => null)))
      },
    }
  })
}
