import type { GenerationOptionsInput } from '../../../helpers/protocol/generation.js'
import type { Target } from '../attacker-messages.js'
import { CRASH_PROMPT } from '../crash-prompt.js'
import { HOSTILE_MODEL } from '../hostile-model.js'
import { type Attacker, byNewMember, repeated, Tally } from './attacker.js'

/** The token `[` of the default model, which the answer is all but forced to repeat. */
const FORCE_ARRAYS = { maxTokens: 14, repeatPenalty: 1, logitBias: { '61': 100 } } as const

/** Each level of arrays can be read in four ways, so that 14 brackets can be read in 4 to the 14th. */
export async function freezingSchema(target: Target): Promise<Attacker> {
  const items = { type: 'array', items: { $ref: '#/$defs/a' } }
  const jsonSchema = {
    $ref: '#/$defs/a',
    $defs: { a: { anyOf: [items, items, items, items] } },
  }
  return await asks(target, 1, 'List it.', { ...FORCE_ARRAYS, jsonSchema })
}

/** Four answers at once that nest arrays 22 deep. */
export async function nestedArrays(target: Target): Promise<Attacker> {
  let jsonSchema: Record<string, unknown> = { type: 'string' }
  for (let depth = 0; depth < 22; depth += 1) jsonSchema = { type: 'array', items: jsonSchema }
  return await asks(target, 4, 'List it.', { ...FORCE_ARRAYS, maxTokens: 64, jsonSchema })
}

/** A question that crashes the engine that answers it: see crashing-engine.ts. */
export async function crash(target: Target): Promise<Attacker> {
  return await asks(target, 1, CRASH_PROMPT, { maxTokens: 16 })
}

/** Questions for a model that cannot be loaded, four at once. */
export async function hostileModel(target: Target): Promise<Attacker> {
  return await asks(target, 4, 'Hello', { maxTokens: 16 }, HOSTILE_MODEL)
}

/** One user who asks the same question again and again. */
async function asks(
  target: Target,
  atOnce: number,
  content: string,
  options: GenerationOptionsInput,
  model?: string,
): Promise<Attacker> {
  const tally = new Tally()
  return byNewMember(target, tally, ({ client }) =>
    repeated({
      atOnce,
      tally,
      async step(signal) {
        const messages = [{ role: 'user' as const, content }]
        for await (const _token of client.ask({ messages, options, model }, signal)) {
          // Reading it all keeps the engine at work.
        }
      },
    }),
  )
}
