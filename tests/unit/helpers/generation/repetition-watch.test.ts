import test from 'brittle'
import fc from 'fast-check'
import { RepetitionWatch } from '../../../../helpers/generation/repetition-watch.js'
import { ensure, holds } from '../../../helpers/property.js'

/** After how many words of an answer it is found to repeat itself; null if it is not. */
function endOf(words: readonly string[], question = ''): number | null {
  const known = [...new Set(words)]
  const textOf = (tokens: readonly number[]) => tokens.map((token) => known[token]).join(' ')
  const watch = new RepetitionWatch({ textOf, prompt: question })
  const at = words.findIndex((word) => watch.push(known.indexOf(word)))
  return at < 0 ? null : at + 1
}

const times = (count: number, text: string) => Array<string[]>(count).fill(text.split(' ')).flat()

test('should notice an answer that says the same words again and again', (t) => {
  const story = 'Once there was a house in the middle'.split(' ')
  t.is(endOf([...story, ...times(200, 'of the night ,')]), story.length + 256)
  t.is(endOf(times(400, 'it')), 256)
})

test('should notice a paragraph that comes back for the fourth time', (t) => {
  const paragraph = Array.from({ length: 100 }, (_, index) => `w${index}`).join(' ')
  t.is(endOf(times(6, paragraph)), 400)
  t.is(endOf(times(3, paragraph)), null)
})

test('should let pass what is repeated often and not without end', (t) => {
  t.is(endOf(times(50, 'I love you .')), null, 'a sentence, 50 times')
  t.is(endOf(times(20, '| 0 | 0 | 0 | 0 | newline')), null, 'a table of zeros')
  t.is(endOf(times(120, '0 ,')), null, 'a list of 120 zeros')
})

test('should let pass lists, tables and code whose lines differ', (t) => {
  const numbered = Array.from({ length: 200 }, (_, index) => [`${index}.`, 'Hello', 'there'])
  t.is(endOf(numbered.flat()), null)
  const pairs = Array.from({ length: 300 }, (_, index) => ['{', `"${index % 7}${index}"`, ':', '1'])
  t.is(endOf(pairs.flat()), null)
})

test('should allow repetition for a while when the prompt asks for it', (t) => {
  const line = 'All work and no play makes Jack a dull boy .'
  const question = 'Write "all work and no play makes Jack a dull boy" 50 times!'
  t.is(endOf(times(50, line), question), null)
  t.is(endOf(['Sure', ':', ...times(50, line)], question), null)
  t.is(endOf(times(50, line), 'Write something'), 256)
  t.is(endOf(times(400, line), question), 8 * 256)
})

test('should say so wherever the answer is resumed', async (t) => {
  const unit = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 6 })
  const start = fc.array(fc.nat({ max: 3 }), { maxLength: 20 })
  const property = fc.property(start, unit, (before, repeated) => {
    const words = [...before, ...times(300, repeated.join(' '))].map(String)
    const end = endOf(words)
    ensure(end !== null && end <= before.length + 256, `${end}`)
    ensure(endOf(words.slice(0, end - 1)) === null, 'not before')
  })
  await holds(t, property, 50)
})

test('should look only once for a unit in the prompt, which may be long', (t) => {
  let looks = 0
  const textOf = () => {
    looks += 1
    return 'it'
  }
  const watch = new RepetitionWatch<number>({ textOf, prompt: 'Say it!' })
  for (let count = 0; count < 2_047; count += 1) t.absent(watch.push(1))
  t.ok(watch.push(1))
  t.is(looks, 1)
})
