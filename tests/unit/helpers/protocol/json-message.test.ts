import test from 'brittle'
import { z } from 'zod'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  decodeMessage,
  encodeMessage,
  validateMessage,
} from '../../../../helpers/protocol/json-message.js'

const schema = z.strictObject({ text: z.string(), inner: z.strictObject({ n: z.number() }) })
const value = { text: 'žluťoučký 🐦', inner: { n: 1 } }

test('should come back unchanged when it is encoded and decoded', (t) => {
  const bytes = encodeMessage(value, 1_000, 'it')
  t.alike(decodeMessage(bytes, schema, 1_000, 'it'), value)
})

test('should count bytes, not characters, when a size is checked', async (t) => {
  const sizeBytes = encodeMessage(value, 1_000, 'it').byteLength
  t.ok(encodeMessage(value, sizeBytes, 'it'))
  await t.exception(() => encodeMessage(value, sizeBytes - 1, 'the note'), {
    code: 'PAYLOAD_TOO_LARGE',
    message: `the note has ${sizeBytes} bytes; the limit is ${sizeBytes - 1}`,
  })
})

test('should not parse what is too large when it arrives', async (t) => {
  const bytes = Buffer.from(`${'['.repeat(1_001)}`)
  await t.exception(() => decodeMessage(bytes, schema, 1_000, 'it'), { code: 'PAYLOAD_TOO_LARGE' })
})

test('should be INVALID_REQUEST when the bytes are no UTF-8, no JSON, or not of the schema', async (t) => {
  const wrong = [
    Buffer.from([0xff, 0xfe]),
    Buffer.from('{"text":'),
    Buffer.alloc(0),
    Buffer.from('null'),
    Buffer.from('{"text":"a","inner":{"n":1},"more":1}'),
    Buffer.from('{"text":"a","inner":{"n":1},"__proto__":{"admin":true}}'),
  ]
  for (const bytes of wrong) {
    await t.exception(() => decodeMessage(bytes, schema, 1_000, 'it'), { code: 'INVALID_REQUEST' })
  }
})

test('should survive JSON that is nested as deep as a megabyte allows when it arrives', async (t) => {
  const deep = Buffer.from(`{"text":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)
  await t.exception(() => decodeMessage(deep, schema, 1_048_576, 'it'), { code: 'INVALID_REQUEST' })
})

test('should name the field when a value is not what the schema asks for', (t) => {
  try {
    validateMessage({ text: 'a', inner: { n: 'one' } }, schema, 'the note')
    t.fail('it was accepted')
  } catch (error) {
    t.ok(
      isStarlingError(error, 'INVALID_REQUEST') &&
        error.message.startsWith('the note, field inner.n:'),
    )
  }
})

test('should quote little of what a peer sent when it is not what the schema asks for', (t) => {
  const long = 'x'.repeat(500_000)
  const nested = z.strictObject({ bias: z.record(z.string(), z.number()) })
  for (const [value, shape] of [
    [{ text: 'a', inner: { n: 1 }, [long]: 1 }, schema],
    [{ bias: { [long]: 'no number' } }, nested],
  ] as const) {
    try {
      validateMessage(value, shape, 'the note')
      t.fail('it was accepted')
    } catch (error) {
      t.ok(isStarlingError(error, 'INVALID_REQUEST'))
      t.ok(Object(error).message.length < 1_000, 'a log line and an answer stay short')
    }
  }
})
