import test from 'brittle'
import { StreamingDetokenizer } from '../../../../helpers/text/streaming-detokenizer.js'

/** A vocabulary whose tokens are bytes. */
const bytes = (tokens: readonly number[]) => Buffer.from(tokens).toString('utf8')

/** Words that bring the space before them, which the decoder leaves out at the start of a text. */
const WORDS = ['▁Once', '▁upon', '▁a', '▁time']
const words = (tokens: readonly number[]) =>
  tokens
    .map((token) => WORDS[token] ?? '')
    .join('')
    .replaceAll('▁', ' ')
    .replace(/^ /, '')

function pieces(text: string): string[] {
  const detokenizer = new StreamingDetokenizer(bytes)
  return [...Buffer.from(text)].map((token) => detokenizer.push(token))
}

test('should give each token its text when every token is a whole character', (t) => {
  t.alike(pieces('abc'), ['a', 'b', 'c'])
})

test('should give a character to the token that completes it when several tokens share it', (t) => {
  t.alike(pieces('é€😀!'), ['', 'é', '', '', '€', '', '', '', '😀', '!'])
})

test('should say that a character is incomplete until its last byte is there', (t) => {
  const detokenizer = new StreamingDetokenizer(bytes)
  const states = [...Buffer.from('€')].map((token) => {
    detokenizer.push(token)
    return detokenizer.incomplete
  })
  t.alike(states, [true, true, false])
})

test('should let out the whole characters of a token when its last one is incomplete', (t) => {
  const vocabulary = [Buffer.from('ab\xe2', 'latin1'), Buffer.from('\x82\xac!', 'latin1')]
  const detokenizer = new StreamingDetokenizer((tokens) =>
    Buffer.concat(tokens.map((token) => vocabulary[token] ?? Buffer.alloc(0))).toString('utf8'),
  )
  t.alike([detokenizer.push(0), detokenizer.push(1)], ['ab', '€!'])
})

test('should flush replacement characters when the text ends within a character', (t) => {
  const detokenizer = new StreamingDetokenizer(bytes)
  t.is(detokenizer.push(0xe2), '')
  t.is(detokenizer.push(0x82), '')
  t.is(detokenizer.flush(), '\uFFFD')
  t.is(detokenizer.flush(), '')
  t.absent(detokenizer.incomplete)
})

test('should pass a replacement character on when the answer really contains one', (t) => {
  t.is(pieces('a\uFFFDb').join(''), 'a\uFFFDb')
})

test('should not wait for ever when a broken answer never completes a character', (t) => {
  const detokenizer = new StreamingDetokenizer(bytes)
  let text = ''
  for (let index = 0; index < 200; index++) text += detokenizer.push(0x80)
  text += detokenizer.flush()
  t.is(text, '\uFFFD'.repeat(200))
})

test('should keep the space before a word when the vocabulary drops it at the start', (t) => {
  const detokenizer = new StreamingDetokenizer(words)
  t.alike(
    [0, 1, 2, 3].map((token) => detokenizer.push(token)),
    ['Once', ' upon', ' a', ' time'],
  )
})

test('should keep the space of the first token when tokens precede it', (t) => {
  const detokenizer = new StreamingDetokenizer(words, [0])
  t.is(detokenizer.push(1), ' upon')
})

test('should give the same text as decoding all at once when texts are long and mixed', (t) => {
  const text = 'Grüße aus Köln: 東京は晴れ, 😀👩‍👩‍👧 и привет.\n'.repeat(20)
  t.is(pieces(text).join(''), text)
})
