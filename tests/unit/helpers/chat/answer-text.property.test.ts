import test from 'brittle'
import fc from 'fast-check'
import { AnswerText } from '../../../../helpers/chat/answer-text.js'
import type { Token } from '../../../../helpers/protocol/generation.js'
import { ensure, holds } from '../../../helpers/property.js'

/** A vocabulary of single bytes and of pieces that cut characters in two. */
const VOCABULARY: readonly Buffer[] = [
  ...['a', 'b', 'ab', ' ', '\n', 'é', '😀', '{', '}'].map((text) => Buffer.from(text)),
  ...[
    [0xc3],
    [0xa9],
    [0xf0, 0x9f],
    [0x98],
    [0x80],
    [0x61, 0xe2],
    [0x82, 0xac, 0x62],
    [0xff],
    [],
  ].map((bytes) => Buffer.from(bytes)),
]
const decode = (tokens: readonly number[]) =>
  Buffer.concat(tokens.map((token) => VOCABULARY[token] ?? Buffer.alloc(0))).toString('utf8')

const token = fc.nat({ max: VOCABULARY.length - 1 })
/** Chance alone would hardly ever put a character together: 😀 of three tokens, é of two. */
const emoji = fc.constant([11, 12, 13])
const accented = fc.constant([9, 10])
const syllable = fc.oneof(
  token.map((one) => [one]),
  emoji,
  accented,
)
const tokens = fc.array(syllable, { maxLength: 20 }).map((syllables) => syllables.flat())
const stops = fc.array(fc.constantFrom('ab', 'ba', '€', '€b', '😀a', 'a\n', 'bb', 'é'), {
  maxLength: 3,
})

interface Answer {
  readonly delivered: Token[]
  readonly isEnded: boolean
}

/** All of an answer, or what is left of it after the first tokens. */
function answer(ids: readonly number[], stop: readonly string[], before = 0): Answer {
  const text = new AnswerText({
    ...{ decode, preceding: [], stop, isJson: false, tools: null, delivered: before },
  })
  const delivered: Token[] = []
  for (const tokenId of ids) {
    delivered.push(...text.push({ tokenId }))
    if (text.isEnded) break
  }
  delivered.push(...text.end())
  return { delivered, isEnded: text.isEnded }
}

function textOf(delivered: readonly Token[]): string {
  return delivered.map((one) => one.text).join('')
}

/** How many tokens begin before a place, in bytes; those without any bytes may stand right before it. */
function beginBefore(ids: readonly number[], placeBytes: number): number {
  let start = 0
  let count = 0
  for (const id of ids) {
    const { length } = VOCABULARY[id] ?? Buffer.alloc(0)
    if (length === 0 ? start > placeBytes : start >= placeBytes) break
    start += length
    count += 1
  }
  return count
}

test('should deliver every token in order with its id when nothing stops the answer', async (t) => {
  const property = fc.property(tokens, (ids) => {
    const { delivered } = answer(ids, [])
    ensure(delivered.map((one) => one.tokenId).join() === ids.join(), 'other ids')
    ensure(
      delivered.every((one, index) => one.index === index),
      'other positions',
    )
    ensure(textOf(delivered) === decode(ids), `text ${JSON.stringify(textOf(delivered))}`)
  })
  await holds(t, property, 500)
})

test('should deliver the text before the first stop string, and no token within it', async (t) => {
  const property = fc.property(tokens, stops, (ids, stop) => {
    const { delivered, isEnded } = answer(ids, stop)
    const text = textOf(delivered)
    const whole = decode(ids)
    ensure(whole.startsWith(text), `text ${JSON.stringify(text)}`)
    ensure(isEnded === stop.some((one) => whole.includes(one)), 'stops when there is a stop string')
    ensure(!stop.some((one) => text.includes(one)), 'a stop string was delivered')
    if (isEnded) {
      ensure(
        stop.some((one) => whole.startsWith(one, text.length)),
        'a stop string comes after the text',
      )
      if (!whole.includes('\uFFFD')) {
        ensure(delivered.length === beginBefore(ids, Buffer.byteLength(text)), 'other tokens')
      }
    } else {
      ensure(text === whole, 'all of the text')
    }
  })
  await holds(t, property, 1_000)
})

test('should go on with the same tokens when it is resumed after any of them', async (t) => {
  const property = fc.property(tokens, stops, (ids, stop) => {
    const { delivered } = answer(ids, stop)
    for (let before = 0; before <= delivered.length; before++) {
      const rest = answer(ids, stop, before)
      const expected = JSON.stringify(delivered.slice(before))
      ensure(JSON.stringify(rest.delivered) === expected, `resumed after ${before}`)
    }
  })
  await holds(t, property, 300)
})
