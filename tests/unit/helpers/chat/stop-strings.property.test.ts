import test from 'brittle'
import fc from 'fast-check'
import { StopStrings } from '../../../../helpers/chat/stop-strings.js'
import { ensure, holds } from '../../../helpers/property.js'

/** Few characters, so that stop strings come about, overlap and nearly match. */
const character = fc.constantFrom('a', 'b', '\n', 'é', '😀', '👩‍👩‍👧')
const text = fc.string({ unit: character, maxLength: 40 })
const stops = fc.array(fc.string({ unit: character, minLength: 1, maxLength: 6 }), { maxLength: 4 })
const pieces = fc.array(fc.string({ unit: character, maxLength: 5 }), { maxLength: 16 })

/** Where the text is to be cut: at the stop string that ends first, the longest of those. */
function naiveCut(whole: string, stopStrings: readonly string[]): number | null {
  for (let end = 0; end <= whole.length; end++) {
    const found = stopStrings.filter((stop) => whole.slice(0, end).endsWith(stop))
    if (found.length > 0) return end - Math.max(...found.map(({ length }) => length))
  }
  return null
}

/** The least that can be held back: the longest beginning of a stop string at the end. */
function naiveHeld(whole: string, stopStrings: readonly string[]): number {
  let held = 0
  for (const stop of stopStrings) {
    const characters = [...stop]
    for (let count = 1; count < characters.length; count++) {
      const beginning = characters.slice(0, count).join('')
      if (whole.endsWith(beginning)) held = Math.max(held, beginning.length)
    }
  }
  return held
}

test('should cut where a search of the whole text does, however the text is cut into pieces', async (t) => {
  const property = fc.property(pieces, stops, (parts, stopStrings) => {
    const whole = parts.join('')
    const matcher = new StopStrings(stopStrings)
    let cut: number | null = null
    for (const part of parts) {
      cut = matcher.push(part)
      if (cut !== null) break
    }
    ensure(cut === naiveCut(whole, stopStrings), `cut at ${cut}`)
  })
  await holds(t, property, 1_000)
})

test('should hold back no more and no less than what may become a stop string', async (t) => {
  const property = fc.property(text, stops, (whole, stopStrings) => {
    if (naiveCut(whole, stopStrings) !== null) return
    const matcher = new StopStrings(stopStrings)
    matcher.push(whole)
    const held = whole.length - matcher.settled
    ensure(held === naiveHeld(whole, stopStrings), `holds ${held}`)
  })
  await holds(t, property, 1_000)
})
