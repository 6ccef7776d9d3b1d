import test from 'brittle'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { fromWireError } from '../../../../helpers/errors/wire-error.js'
import { REDACTED, redact, redactText } from '../../../../helpers/text/redaction.js'

const SECRET = 'correct horse battery'
const SESSION = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl'

const HIDDEN = [
  ...['password', 'Password', 'newPassword', 'passphrase', 'token', 'refreshToken', 'access_token'],
  ...['credential', 'credentials', 'secret', 'clientSecret', 'secretKey', 'privateKeyPem', 'seed'],
  ...['authorization', 'Authorization', 'cookie', 'set-cookie', 'apiKey', 'api_key', 'x-api-key'],
  ...['key', 'prompt', 'systemPrompt', 'messages', 'content', 'text', 'answer', 'question'],
  ...['completion', 'delta', 'body', 'input', 'output', 'tokens'],
]

test('should hide what is named like a secret or like something said, at any depth', (t) => {
  for (const name of HIDDEN) {
    const named = { [name]: SECRET, list: [SECRET] }
    const deep = {
      ...{ [name]: [SECRET] },
      a: { b: [{ c: { [name]: { whole: SECRET } } }] },
      map: new Map([['x', { [name]: SECRET }]]),
      set: new Set([{ [name]: SECRET }]),
      json: { toJSON: () => ({ [name]: SECRET }) },
    }
    const shallow = redact({ [name]: SECRET })
    t.alike(shallow, { [name]: REDACTED }, name)
    t.absent(JSON.stringify(redact(deep)).includes(SECRET), `${name}, deep`)
    t.ok(JSON.stringify(redact(named)).includes(SECRET), 'and nothing else is')
  }
})

test('should keep what an operator needs', (t) => {
  const line = {
    method: 'gateway.infer',
    requestId: 'req_1',
    code: 'OK',
    durationMs: 1.5,
    peer: 'gateway@here',
    publicKey: 'abcdef',
    keyId: 'k1',
    promptTokens: 7,
    maxTokens: 512,
    tokens: 12,
    tokenId: 3,
    none: null,
    missing: undefined,
    yes: true,
    at: new Date(0),
  }
  t.alike(redact(line), { ...line, at: '1970-01-01T00:00:00.000Z' })
})

test('should find sessions and API keys in any text', (t) => {
  t.is(redactText(`Bearer ${SESSION}!`), `Bearer ${REDACTED}!`)
  t.is(redactText('got star_01J0_c2VjcmV0_a1b2 from a user'), `got ${REDACTED} from a user`)
  t.alike(redact({ note: [`a ${SESSION}`] }), { note: [`a ${REDACTED}`] })
  t.is(redactText('starling started'), 'starling started')
})

test('should write no bytes', (t) => {
  t.alike(redact({ a: Buffer.from(SECRET), b: new Uint8Array(32), c: new ArrayBuffer(4) }), {
    a: '[21 bytes]',
    b: '[32 bytes]',
    c: '[4 bytes]',
  })
})

test('should end when an object is endless', (t) => {
  const round: Record<string, unknown> = { name: 'round' }
  round.self = round
  t.alike(redact(round), { name: 'round', self: '[left out]' })
  let deep: unknown = 'bottom'
  for (let level = 0; level < 10_000; level += 1) deep = { deep }
  t.absent(JSON.stringify(redact(deep)).includes('bottom'))
  const long = redact({ list: Array.from({ length: 1_000 }, () => 1) })
  t.ok(JSON.stringify(long).length < 500)
  const again = { toJSON: () => again }
  t.ok(redact(again))
})

test('should describe an error of ours with its causes', (t) => {
  const cause = new Error('below')
  const described = Object(redact(new StarlingError('PEER_LOST', 'gone', { cause })))
  t.is(described.code, 'PEER_LOST')
  t.is(described.message, 'gone')
  t.ok(described.stack.includes('caused by Error: below'))
  t.is(Object(redact({ deep: [{ error: cause }] })).deep[0].error.message, 'below')
})

test('should say the code alone when a peer told of an error', (t) => {
  const error = fromWireError({ code: 'OVERLOADED', message: `you asked: ${SECRET}` })
  t.alike(redact(error), { type: 'StarlingError', code: 'OVERLOADED' })
  const wrapped = JSON.stringify(redact(new StarlingError('PEER_LOST', 'gone', { cause: error })))
  t.absent(wrapped.includes(SECRET))
  t.ok(wrapped.includes('caused by StarlingError OVERLOADED'))
})

test('should not quote what could not be parsed', (t) => {
  let failure: unknown
  try {
    JSON.parse(`${SECRET}`)
  } catch (error) {
    failure = error
  }
  t.ok(String(failure).includes('correct'), 'the parser quotes it')
  t.absent(JSON.stringify(redact({ err: failure })).includes('correct'))
  const wrapped = new StarlingError('INVALID_REQUEST', 'no JSON', { cause: failure })
  t.absent(JSON.stringify(redact(wrapped)).includes('correct'))
})
