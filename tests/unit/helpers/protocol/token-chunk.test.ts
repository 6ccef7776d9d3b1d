import test from 'brittle'
import type { Token } from '../../../../helpers/protocol/generation.js'
import { TokenOrder, tokenChunks } from '../../../../helpers/protocol/token-chunk.js'
import { codeThrownBy } from '../../../helpers/property.js'

const TOKENS: Token[] = [
  { text: 'Gr', tokenId: 0, index: 7, kind: 'thought' },
  { text: 'ü\ufeff€ \u{1f600}', tokenId: 70_000, index: 8, logprob: -0.25 },
  {
    text: '',
    tokenId: null,
    index: 9,
    logprob: 0,
    topLogprobs: [
      { tokenId: 5, text: 'a', logprob: -1 },
      { tokenId: null, text: '', logprob: -2 },
    ],
  },
]

/** The message with one byte changed. */
function withByte(message: Uint8Array, at: number, value: number): Buffer {
  const changed = Buffer.from(message)
  changed[at] = value
  return changed
}

test('should read the tokens that were written', (t) => {
  t.is(tokenChunks.kind, 'binary')
  t.alike(tokenChunks.decode(tokenChunks.encode(TOKENS)), TOKENS)
  for (const token of TOKENS) {
    t.alike(tokenChunks.decode(tokenChunks.encode([token])), [token])
  }
})

test('should read position, count and ids at the start of a message without the rest', (t) => {
  const position = { index: 7, count: 3, tokenIds: [0, 70_000, null] }
  const message = tokenChunks.encode(TOKENS)
  t.alike(tokenChunks.inspect(message), position)
  // Index, count, length of the ids, and ids of 1, 5 and 1 bytes.
  t.alike(tokenChunks.inspect(message.subarray(0, 3 + 7)), position)
})

test('should take few bytes for a plain token', (t) => {
  t.is(tokenChunks.encode([{ text: ' word', tokenId: 100, index: 3 }]).byteLength, 12)
})

test('should keep the halves of a character that two tokens have', (t) => {
  const [high = '', low = ''] = ['\ud83d', '\ude00']
  const tokens = [
    { text: high, tokenId: 1, index: 0 },
    { text: low, tokenId: 2, index: 1 },
  ]
  t.alike(tokenChunks.decode(tokenChunks.encode(tokens)), tokens)
  const alone = tokenChunks.decode(tokenChunks.encode(tokens.slice(0, 1)))
  t.is(alone[0]?.text, '\ufffd', 'a half without the other')
})

test('should refuse a message when its count is not that of its ids', async (t) => {
  const message = tokenChunks.encode(TOKENS)
  for (const count of [0, 1, 2, 4, 0xfc]) {
    for (const read of [tokenChunks.inspect, tokenChunks.decode]) {
      t.is(
        codeThrownBy(() => read(withByte(message, 1, count))),
        'INVALID_REQUEST',
        `${count}`,
      )
    }
  }
  const many = Buffer.concat([Buffer.from([0, 0xfd, 1, 4, 0xfd, 1, 4]), Buffer.alloc(1025)])
  t.is(
    codeThrownBy(() => tokenChunks.inspect(many)),
    'INVALID_REQUEST',
    '1025 tokens',
  )
})

test('should refuse a message when it is cut, or goes on', async (t) => {
  const message = tokenChunks.encode(TOKENS)
  for (let bytes = 0; bytes < message.byteLength; bytes += 1) {
    const code = codeThrownBy(() => tokenChunks.decode(message.subarray(0, bytes)))
    t.is(code, 'INVALID_REQUEST', `${bytes} bytes`)
  }
  const longer = Buffer.concat([message, Buffer.from([0])])
  t.is(
    codeThrownBy(() => tokenChunks.decode(longer)),
    'INVALID_REQUEST',
  )
})

test('should refuse texts that are not UTF-8, and probabilities above 1', (t) => {
  const text = tokenChunks.encode([{ text: 'a', tokenId: 1, index: 0 }])
  t.is(
    codeThrownBy(() => tokenChunks.decode(withByte(text, text.byteLength - 1, 0xff))),
    'INVALID_REQUEST',
  )
  for (const logprob of [0.1, Number.NaN, Number.NEGATIVE_INFINITY]) {
    const message = tokenChunks.encode([{ text: 'a', tokenId: 1, index: 0, logprob }])
    t.is(
      codeThrownBy(() => tokenChunks.decode(message)),
      'INVALID_REQUEST',
      `${logprob}`,
    )
  }
})

test('should refuse what is larger than a message may be', (t) => {
  const text = 'x'.repeat(64 * 1024)
  t.is(
    codeThrownBy(() => tokenChunks.encode([{ text, tokenId: 1, index: 0 }])),
    'PAYLOAD_TOO_LARGE',
  )
  t.is(
    codeThrownBy(() => tokenChunks.decode(Buffer.alloc(64 * 1024 + 1))),
    'PAYLOAD_TOO_LARGE',
  )
})

test('should not write tokens that do not follow each other', async (t) => {
  const token = (index: number): Token => ({ text: 'x', tokenId: 1, index })
  await t.exception(() => tokenChunks.encode([token(0), token(2)]), /not in order/)
  await t.exception(() => tokenChunks.encode([token(1), token(1)]), /not in order/)
  await t.exception(() => tokenChunks.encode([]), /0 tokens/)
})

test('should notice a token that is missing or comes twice', (t) => {
  const order = new TokenOrder()
  order.take({ index: 0, count: 1 })
  order.take({ index: 1, count: 5 })
  for (const index of [0, 5, 7]) {
    t.is(
      codeThrownBy(() => order.take({ index, count: 1 })),
      'PROTOCOL_VIOLATION',
      `${index}`,
    )
  }
  order.take({ index: 6, count: 1 })
  new TokenOrder(40).take({ index: 40, count: 1 })
})
