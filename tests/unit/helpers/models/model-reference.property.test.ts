import test from 'brittle'
import fc from 'fast-check'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  formatModelReference,
  type ModelReference,
  parseModelReference,
} from '../../../../helpers/models/model-reference.js'
import { type ModelSource, nameOfSource } from '../../../../helpers/models/model-source.js'
import { ensure, holds } from '../../../helpers/property.js'

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,8}$/)
const fileName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !/[/#\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text))
  .map((text) => `${text}z.gguf`)
const filePath = fc
  .tuple(fc.array(word, { maxLength: 2 }), fileName)
  .map((parts) => parts.flat().join('/'))

const source: fc.Arbitrary<ModelSource> = fc.oneof(
  word.map((model): ModelSource => ({ kind: 'catalogue', model })),
  fc
    .tuple(fc.constantFrom('/', './', '../'), filePath)
    .map(([start, path]): ModelSource => ({ kind: 'path', path: start + path })),
  fc
    .tuple(fc.webUrl({ validSchemes: ['https'], withQueryParameters: true }), word)
    .map(([url, name]): ModelSource => {
      const made = new URL(url)
      made.pathname = `${made.pathname}/${name}.gguf`
      return { kind: 'url', url: made.href }
    }),
  fc
    .record({ owner: word, repository: word, revision: word, path: filePath })
    .map((parts): ModelSource => ({ kind: 'hub', ...parts })),
  fc
    .record({
      packageName: word.map((name) => name.toLowerCase()),
      version: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)).map((parts) => parts.join('.')),
      path: filePath,
    })
    .map((parts): ModelSource => ({ kind: 'package', ...parts })),
)

const ownName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => text === text.trim() && !/[=/#:\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text))

const reference: fc.Arbitrary<ModelReference> = fc
  .record({
    source,
    name: fc.option(ownName, { nil: undefined }),
    sha256: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
  })
  .map(({ source, name, sha256 }) => ({
    name: name ?? nameOfSource(source),
    source,
    ...(sha256 === undefined ? {} : { sha256 }),
  }))
  .filter(({ name }) => name === name.trim())

test('should give the same reference back when one is written out and read', async (t) => {
  await holds(
    t,
    fc.property(reference, (made) => {
      const text = formatModelReference(made)
      const read = parseModelReference(text)
      ensure(
        fc.stringify(sorted(read)) === fc.stringify(sorted(made)),
        `${text}: ${fc.stringify(read)}`,
      )
    }),
  )
})

test('should give a reference that can be written and read again, or a typed error, when any text is read', async (t) => {
  const pieces = fc.constantFrom(
    ...[
      'hf:',
      'npm:',
      'https://',
      'http://127.0.0.1',
      'file:',
      '/',
      './',
      '..',
      '@',
      '1.0.0',
      '=',
      '?',
    ],
    ...[
      '#sha256=',
      'a'.repeat(64),
      '.gguf',
      'x',
      '%',
      '%2F',
      '\u0000',
      '\ud800',
      ' ',
      ':',
      '//',
      '[::1]',
    ],
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .array(fc.oneof({ weight: 4, arbitrary: pieces }, fc.string({ maxLength: 3 })), {
        maxLength: 8,
      })
      .map((parts) => parts.join('')),
  )
  await holds(
    t,
    fc.property(text, (given) => {
      let read: ModelReference
      try {
        read = parseModelReference(given)
      } catch (error) {
        ensure(isStarlingError(error, 'CONFIG_INVALID'), String(error))
        return
      }
      const again = parseModelReference(formatModelReference(read))
      ensure(fc.stringify(sorted(again)) === fc.stringify(sorted(read)), formatModelReference(read))
    }),
    500,
  )
})

/** The same with its keys in one order, all the way down. */
function sorted({ name, source, sha256 }: ModelReference): unknown {
  return [name, Object.entries(source).sort(), sha256]
}
