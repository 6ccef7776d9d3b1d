import test from 'brittle'
import fc from 'fast-check'
import { readEnvironment } from '../../../config/environment.js'
import { configSchema } from '../../../config/schema.js'
import { ensure, holds } from '../../helpers/property.js'
import { type Setting, settingsOf, variableOf } from '../../helpers/workers/config-settings.js'

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/)
const laterWord = word.map((letters) => letters.charAt(0).toUpperCase() + letters.slice(1))
const key = fc.tuple(word, fc.array(laterWord, { maxLength: 3 })).map(([first, rest]) => {
  return first + rest.join('')
})
const text = fc
  .string({ minLength: 1 })
  .filter((value) => !/^(true|false|-?\d+(\.\d+)?)$/.test(value))
const number = fc.oneof(
  fc.integer(),
  fc.integer({ min: -1e9, max: 1e9 }).map((thousandths) => thousandths / 1000),
)
const setting: fc.Arbitrary<Setting> = fc.record({
  path: fc.array(key, { minLength: 1, maxLength: 3 }),
  value: fc.oneof(number, fc.boolean(), text),
})

test('should come back as it was when settings are written as variables', async (t) => {
  const distinct = fc.uniqueArray(setting, {
    maxLength: 10,
    // Neither the same key twice nor one that is another's section.
    comparator: (one, other) =>
      one.path.slice(0, other.path.length).join() === other.path.slice(0, one.path.length).join(),
  })
  await holds(
    t,
    fc.property(distinct, (settings) => {
      const environment = Object.fromEntries(
        settings.map(({ path, value }) => [variableOf(path), String(value)]),
      )
      const read = settingsOf(readEnvironment(environment))
      const byName = (list: readonly Setting[]) =>
        new Map(list.map(({ path, value }) => [path.join('.'), value]))
      const expected = byName(settings)
      const actual = byName(read)
      ensure(actual.size === expected.size, `${actual.size} of ${expected.size} came back`)
      for (const [name, value] of expected) {
        ensure(Object.is(actual.get(name), value === 0 ? 0 : value), `${name} changed`)
      }
    }),
    200,
  )
})

test('should reach every setting that there is when its variable is set', (t) => {
  const settings = settingsOf(configSchema.parse({}))
  t.ok(settings.length > 25)
  for (const { path, value } of settings) {
    const read = settingsOf(readEnvironment({ [variableOf(path)]: String(value) }))
    t.alike(read, [{ path, value }], variableOf(path))
  }
})
