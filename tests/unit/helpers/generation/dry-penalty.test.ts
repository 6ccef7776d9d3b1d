import test from 'brittle'
import fc from 'fast-check'
import { type DrySettings, dryPenalties } from '../../../../helpers/generation/dry-penalty.js'
import { ensure, holds } from '../../../helpers/property.js'

const SETTINGS: DrySettings = { multiplier: 0.8, base: 1.75, allowedLength: 2 }
const never = () => false

/** The penalties of letters after a text. */
function after(text: string, changes: Partial<DrySettings> = {}, breakers = ''): object {
  const tokens = [...text].map((letter) => letter.charCodeAt(0))
  const breaks = (token: number) => breakers.includes(String.fromCharCode(token))
  const penalties = dryPenalties(tokens, { ...SETTINGS, ...changes }, breaks)
  return Object.fromEntries(
    [...penalties].map(([token, penalty]) => [String.fromCharCode(token), penalty]),
  )
}

test('should take from a token what grows with the sequence that it would repeat', (t) => {
  t.alike(after('abcd ab'), { c: 0.8 }, 'as long as is allowed: the multiplier alone')
  t.alike(after('abcd abc'), { d: 0.8 * 1.75 })
  t.alike(after('wxyzq wxyz'), { q: 0.8 * 1.75 ** 2 })
})

test('should let short sequences be repeated', (t) => {
  t.alike(after('ab a'), {})
  t.alike(after('abc abd a', { allowedLength: 1 }), { b: 0.8 * 1.75 }, 'with the space before it')
  t.alike(after('abcd ab', { allowedLength: 3 }), {})
  t.alike(after(''), {})
})

test('should count the longest of several matches', (t) => {
  t.alike(after('abx zcabx.cab'), { x: 0.8 * 1.75 })
})

test('should match no further than to a token that breaks sequences', (t) => {
  t.alike(after('abc\nabc', {}, '\n'), {}, 'what comes next is a break itself')
  t.alike(after('1\nabc\nab', {}, '\n'), { c: 0.8 }, 'the match ends at the break')
  t.alike(after('ab\nab\n', {}, '\n'), {})
})

test('should take nothing when it is turned off', (t) => {
  t.alike(after('aaaaaaaaaaaa', { multiplier: 0 }), {})
})

test('should stay finite however long the loop', (t) => {
  const penalties = dryPenalties(Array(4_000).fill(7), { ...SETTINGS, base: 4 }, never)
  t.ok(Number.isFinite(penalties.get(7)) && (penalties.get(7) ?? 0) > 1e9)
})

test('should penalise exactly the tokens that a search of all matches finds', async (t) => {
  const token = fc.nat({ max: 3 })
  const property = fc.property(
    fc.array(token, { maxLength: 24 }),
    fc.boolean(),
    (tokens, breaks3) => {
      const breaks = (one: number) => breaks3 && one === 3
      const found = dryPenalties(tokens, SETTINGS, breaks)
      for (let next = 0; next <= 3; next++) {
        let longest = 0
        for (let place = 1; place < tokens.length; place++) {
          if (tokens[place] !== next || breaks(next)) continue
          let length = 0
          while (length < place) {
            const one = tokens[place - 1 - length] ?? -1
            if (one !== tokens[tokens.length - 1 - length] || breaks(one)) break
            length += 1
          }
          longest = Math.max(longest, length)
        }
        const expected = longest < 2 ? undefined : 0.8 * 1.75 ** (longest - 2)
        ensure(found.get(next) === expected, `${next}: ${found.get(next)} for ${expected}`)
      }
    },
  )
  await holds(t, property, 500)
})
