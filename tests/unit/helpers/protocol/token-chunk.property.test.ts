import test from 'brittle'
import fc from 'fast-check'
import { type Token, tokenSchema } from '../../../../helpers/protocol/generation.js'
import { tokenChunks } from '../../../../helpers/protocol/token-chunk.js'
import { ensure, holds } from '../../../helpers/property.js'

const tokenIds = fc.option(fc.integer({ min: 0, max: 0x7fff_ffff }), { nil: null })
const texts = fc.string({ unit: 'binary', maxLength: 12 })
const logprobs = fc.double({ max: 0, noNaN: true, noDefaultInfinity: true })
const topLogprobs = fc.array(fc.record({ tokenId: tokenIds, text: texts, logprob: logprobs }), {
  maxLength: 20,
})

/** The tokens of one message. */
const messages: fc.Arbitrary<Token[]> = fc
  .tuple(
    fc.integer({ min: 0, max: 0x7fff_0000 }),
    fc.array(
      fc.record(
        {
          text: texts,
          tokenId: tokenIds,
          kind: fc.constant('thought' as const),
          logprob: logprobs,
          topLogprobs,
        },
        { requiredKeys: ['text', 'tokenId'] },
      ),
      { minLength: 1, maxLength: 40 },
    ),
  )
  .map(([index, tokens]) => tokens.map((token, offset) => ({ ...token, index: index + offset })))

test('should read any tokens as they were written, and as their schema describes them', async (t) => {
  await holds(
    t,
    fc.property(messages, (tokens) => {
      const message = tokenChunks.encode(tokens)
      const read = tokenChunks.decode(message)
      ensure(JSON.stringify(sorted(read)) === JSON.stringify(sorted(tokens)), 'they differ')
      ensure(
        read.every((token) => tokenSchema.safeParse(token).success),
        'the schema refuses them',
      )
      const start = tokenChunks.inspect(message)
      ensure(start.index === tokens[0]?.index && start.count === tokens.length, 'another start')
      ensure(
        tokens.every(({ tokenId }, offset) => start.tokenIds[offset] === tokenId),
        'other ids',
      )
      const bound = tokens.reduce((sum, token) => sum + sizeOf(token), 64)
      ensure(message.byteLength <= bound, `${message.byteLength} bytes, at most ${bound}`)
    }),
    300,
  )
})

test('should refuse any damaged message typed, or read tokens that their schema accepts', async (t) => {
  await holds(
    t,
    fc.property(
      messages,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (tokens, changes) => {
        const message = Buffer.from(tokenChunks.encode(tokens))
        for (const [at, value] of changes) message[at % message.byteLength] = value
        ensure(isReadOrRefused(message), 'another error')
      },
    ),
    500,
  )
})

test('should refuse any bytes typed, or read tokens that their schema accepts', async (t) => {
  await holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      ensure(isReadOrRefused(bytes), 'another error')
    }),
    500,
  )
})

function sizeOf(token: Token): number {
  return tokenChunks.gathering?.sizeBytes(token) ?? 0
}

function isReadOrRefused(message: Uint8Array): boolean {
  let tokens: Token[]
  try {
    tokens = tokenChunks.decode(message)
  } catch (error) {
    return Object(error).code === 'INVALID_REQUEST'
  }
  return tokens.every((token) => tokenSchema.safeParse(token).success)
}

/** With their fields in one order, and -0 as 0. */
function sorted(tokens: readonly Token[]): unknown {
  return tokens.map((token) =>
    Object.entries(token).sort(([one], [other]) => (one < other ? -1 : 1)),
  )
}
