import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'brittle'
import fc from 'fast-check'
import { loadConfig } from '../../../config/load-config.js'
import { configSchema } from '../../../config/schema.js'
import { ensure, holds } from '../../helpers/property.js'
import {
  type Setting,
  sectionsOf,
  settingsOf,
  variableOf,
} from '../../helpers/workers/config-settings.js'

const DEFAULTS = configSchema.parse({})
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent']

/** Values other than the default that a setting may have by itself. */
function othersOf({ path, value }: Setting): Setting[] {
  const candidates =
    typeof value === 'number'
      ? [value + 1, value + 2, value + 7, value - 1, value - 3]
      : typeof value === 'boolean'
        ? [!value]
        : [`${value}-a`, `${value}-b`, 'trace', 'debug']
  return candidates
    .map((candidate) => ({ path, value: candidate }))
    .filter((setting) => configSchema.safeParse(sectionsOf([setting])).success)
}

const CHOICES = [
  ...settingsOf(DEFAULTS).flatMap(othersOf),
  ...LEVELS.map((value) => ({ path: ['logLevel'], value })),
]
const settings = fc.array(fc.constantFrom(...CHOICES), { maxLength: 12 })
const sources = fc.record({ file: settings, environment: settings, flags: settings })

function environmentOf(list: readonly Setting[]): Record<string, string> {
  return Object.fromEntries(list.map(({ path, value }) => [variableOf(path), String(value)]))
}

test('should be what the last of the sources says of each key, whatever they set', async (t) => {
  const file = join(await t.tmp(), 'starling.json')
  t.ok(CHOICES.length > 80, `${CHOICES.length} settings to choose from`)
  await holds(
    t,
    fc.property(sources, (chosen) => {
      writeFileSync(file, JSON.stringify(sectionsOf(chosen.file)))
      const config = loadConfig({
        file,
        environment: environmentOf(chosen.environment),
        flags: sectionsOf(chosen.flags),
      })
      const all = [...settingsOf(DEFAULTS), ...chosen.file, ...chosen.environment, ...chosen.flags]
      const expected = new Map(all.map(({ path, value }) => [path.join('.'), value]))
      expected.set('home', resolve(String(expected.get('home'))))
      const actual = new Map(settingsOf(config).map(({ path, value }) => [path.join('.'), value]))
      for (const [name, value] of expected) {
        ensure(actual.get(name) === value, `${name} is ${actual.get(name)} instead of ${value}`)
      }
      ensure(actual.size === expected.size, 'there are more settings than were set')
    }),
    150,
  )
})

const unknownKeys = fc.oneof(
  fc.stringMatching(/^[a-z]{1,8}([A-Z][a-z]{1,5})?$/),
  fc.constantFrom('constructor', 'prototype', 'proto', 'x'),
)
const inheritedKeys = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty')
const sections = [
  [],
  ...Object.entries(DEFAULTS)
    .filter(([, value]) => typeof value === 'object')
    .map(([key]) => [key]),
]

test('should name the key and its source when one of them sets what does not exist', async (t) => {
  const file = join(await t.tmp(), 'starling.json')
  const unknown = fc
    .record({
      section: fc.constantFrom(...sections),
      source: fc.constantFrom('file', 'environment', 'flags' as const),
      key: unknownKeys,
      inherited: fc.option(inheritedKeys, { freq: 4, nil: undefined }),
    })
    .map(({ section, source, key, inherited }) => ({
      source,
      // No variable spells these.
      path: [...section, source === 'environment' ? key : (inherited ?? key)],
    }))
    .filter(({ path }) => !configSchema.safeParse(sectionsOf([{ path, value: 'v' }])).success)
    .filter(({ path }) => !CHOICES.some((one) => one.path.join('.').startsWith(path.join('.'))))
  await holds(
    t,
    fc.property(sources, unknown, (chosen, { source, path }) => {
      const mistake = { path, value: 'nonsense' }
      const withMistake = { ...chosen, [source]: [...chosen[source], mistake] }
      writeFileSync(file, JSON.stringify(sectionsOf(withMistake.file)))
      const names = {
        file: `the file ${file}`,
        environment: `the environment (${variableOf(path)})`,
      }
      const sourceName = source === 'flags' ? 'the command line' : names[source]
      let refusal: unknown
      try {
        loadConfig({
          file,
          environment: environmentOf(withMistake.environment),
          flags: sectionsOf(withMistake.flags),
        })
      } catch (error) {
        refusal = error
      }
      const { code, message } = Object(refusal)
      ensure(code === 'CONFIG_INVALID', `${path.join('.')} came to ${refusal}`)
      const expected = `${path.join('.')}, set by ${sourceName}`
      ensure(message.startsWith(expected), `${message} instead of ${expected}`)
      ensure(message.endsWith(': unknown key'), message)
    }),
    200,
  )
})
