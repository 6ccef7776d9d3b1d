import test from 'brittle'
import fc from 'fast-check'
import { fromChildSchema } from '../../../../../facilities/engine/llama/llama-messages.js'
import { isTokensMessage } from '../../../../../facilities/engine/llama/tokens-check.js'
import {
  MAX_TOKEN_ID,
  MAX_TOP_LOGPROBS,
} from '../../../../../helpers/protocol/generation-options.js'
import { ensure, holds } from '../../../../helpers/property.js'

const tokenId = fc.option(fc.nat({ max: MAX_TOKEN_ID }))
const logprob = fc.double({ max: 0, noDefaultInfinity: true, noNaN: true })
const token = fc.record(
  {
    kind: fc.constant('thought'),
    text: fc.string(),
    tokenId,
    index: fc.nat(),
    logprob,
    topLogprobs: fc.array(fc.record({ tokenId, text: fc.string(), logprob }), {
      maxLength: MAX_TOP_LOGPROBS,
    }),
  },
  { requiredKeys: ['text', 'tokenId', 'index'] },
)
const message = fc.record({
  kind: fc.constant('tokens'),
  tokens: fc.array(fc.record({ id: fc.nat(), token }), { maxLength: 4 }),
})

/** What a message is as the parent process receives it. */
const received = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Values that are valid in no field, or only in some. */
const odd = fc.constantFrom<unknown>(
  ...[null, '', 'thought', 'tokens', -1, 0.5, 0, 2 ** 31, 2 ** 53, true, [], {}],
  Array.from({ length: MAX_TOP_LOGPROBS + 1 }, () => ({ tokenId: 1, text: '', logprob: -1 })),
)

/** Every place in a value at which something can be changed: its object and its key. */
function placesIn(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== 'object' || value === null) return []
  const fields = value as Record<string, unknown>
  return Object.keys(fields).flatMap((key) => [[fields, key], ...placesIn(fields[key])])
}

test('should accept every message of tokens that the schema accepts', async (t) => {
  const property = fc.property(message, (sent) => {
    const raw = received(sent)
    ensure(fromChildSchema.safeParse(raw).success, 'the schema refuses it')
    ensure(isTokensMessage(raw), 'the check refuses it')
  })
  await holds(t, property, 500)
})

test('should decide as the schema does when one thing in a message is wrong', async (t) => {
  const change = fc.constantFrom('replace', 'remove', 'add')
  const property = fc.property(message, fc.nat(), change, odd, (sent, at, how, value) => {
    const raw = received(sent)
    const places = placesIn(raw)
    const [fields, key] = places[at % places.length] ?? [{}, '']
    if (how === 'replace') fields[key] = value
    else if (how === 'add') fields[`${key}x`] = value
    else delete fields[key]
    const again = received(raw)
    const isValid = fromChildSchema.safeParse(again).success
    ensure(isTokensMessage(again) === isValid, `the schema says ${isValid}`)
  })
  await holds(t, property, 2_000)
})

test('should leave all other messages to the schema', (t) => {
  for (const other of [null, 1, 'tokens', [], {}, { kind: 'cancelled', id: 1 }]) {
    t.absent(isTokensMessage(other))
  }
  const polluted = JSON.parse('{"kind":"tokens","tokens":[],"__proto__":{"a":1}}')
  t.absent(isTokensMessage(polluted))
})
