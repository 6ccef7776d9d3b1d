import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { createOrigin } from '../../../facilities/network/calls/request-context.js'
import { gatewayProtocol } from '../../../helpers/protocol/gateway-protocol.js'
import type { GenerationOptionsInput } from '../../../helpers/protocol/generation-options.js'
import { CRASH_PROMPT } from '../attack.js'
import type { Target } from '../attacker-messages.js'
import { HOSTILE_MODEL } from '../hostile-model.js'
import { meshKeysOf, newCredential, openAccountFolder, openMember } from '../member.js'
import { gatewayFound } from '../regular-clients.js'
import { type Attacker, byNewMember, Counters, repeated } from './attacker.js'

/** Account calls of each kind that are in progress at once. */
const ACCOUNT_CALLS = 32

/** Makes the default model generate the token `[` almost without exception. */
const FORCE_ARRAYS = { maxTokens: 14, repeatPenalty: 1, logitBias: { '61': 100 } } as const

/** A schema whose arrays match in four ways at each level, so that 14 brackets match in 4^14 ways. */
export async function ambiguousSchema(target: Target): Promise<Attacker> {
  const items = { type: 'array', items: { $ref: '#/$defs/a' } }
  const jsonSchema = {
    $ref: '#/$defs/a',
    $defs: { a: { anyOf: [items, items, items, items] } },
  }
  return await promptsOf(target, 1, 'List it.', { ...FORCE_ARRAYS, jsonSchema })
}

/** Four requests at once for arrays nested 22 deep. */
export async function nestedArrays(target: Target): Promise<Attacker> {
  let jsonSchema: Record<string, unknown> = { type: 'string' }
  for (let depth = 0; depth < 22; depth += 1) jsonSchema = { type: 'array', items: jsonSchema }
  return await promptsOf(target, 4, 'List it.', { ...FORCE_ARRAYS, maxTokens: 64, jsonSchema })
}

/** A prompt that crashes the engine: see crashing-engine.ts. */
export async function crashingPrompt(target: Target): Promise<Attacker> {
  return await promptsOf(target, 1, CRASH_PROMPT, { maxTokens: 16 })
}

/** Four requests at once for a model that cannot be loaded. */
export async function endlessTemplate(target: Target): Promise<Attacker> {
  return await promptsOf(target, 4, 'Hello', { maxTokens: 16 }, HOSTILE_MODEL)
}

/** One user who repeats the same prompt. */
async function promptsOf(
  target: Target,
  atOnce: number,
  content: string,
  options: GenerationOptionsInput,
  model?: string,
): Promise<Attacker> {
  const counters = new Counters()
  return byNewMember(target, counters, ({ client }) =>
    repeated({
      atOnce,
      counters,
      async step(signal) {
        const messages = [{ role: 'user' as const, content }]
        for await (const _token of client.ask({ messages, options, model }, signal)) {
          // Reading all tokens keeps the engine busy.
        }
      },
    }),
  )
}

/** One client that registers and logs in as fast as it can, and ignores retryAfterMs. */
export async function accountCalls(target: Target): Promise<Attacker> {
  const folder = await openAccountFolder(target)
  const member = await openMember(target, await meshKeysOf(target), folder)
  await gatewayFound(member, AbortSignal.timeout(10_000))
  const clock = new SystemClock()
  const random = new SystemRandom()
  return repeated({
    atOnce: 2 * ACCOUNT_CALLS,
    counters: new Counters(),
    async step(signal, index) {
      const [gateway] = member.gateways.connections
      if (gateway === undefined) throw new Error('The gateway is not connected')
      const method = index % 2 === 0 ? gatewayProtocol.register : gatewayProtocol.login
      await gateway.call(method, newCredential(), { origin: createOrigin(clock, random), signal })
    },
  })
}
