import type { Target } from '../attacker-messages.js'
import { type Attacker, byNewMember, repeated, Tally } from './attacker.js'

/** Chunks that are read of each answer. */
const READ_CHUNKS = 3
/** The most answers that are left unread at once. */
const MAX_ANSWERS = 256

/** An answer of one token again and again, which the model does not end by itself. */
const ENDLESS = {
  maxTokens: 3_000,
  repeatPenalty: 1,
  allowRepetition: true,
  logitBias: { '61': 100 },
} as const

/** One user who opens as many answers as it may, reads a few chunks of each and no more. */
export async function stalledReaders(target: Target): Promise<Attacker> {
  const tally = new Tally()
  return byNewMember(target, tally, ({ client }) => {
    const answers = new Set<AsyncGenerator<unknown>>()
    const opening = repeated({
      atOnce: 8,
      pauseMs: 100,
      tally,
      async step(signal) {
        if (answers.size >= MAX_ANSWERS) return
        const messages = [{ role: 'user' as const, content: 'Tell me a long story.' }]
        const answer = client.ask({ messages, options: ENDLESS }, signal)
        for (let chunk = 0; chunk < READ_CHUNKS; chunk += 1) await answer.next()
        answers.add(answer)
        tally.add('left unread')
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
