import test from 'brittle'
import fc from 'fast-check'
import {
  type HelloMessage,
  PROTOCOL_VERSIONS,
  readHello,
} from '../../../../../helpers/protocol/hello-message.js'
import { type HelloScene, helloScene } from '../../../../helpers/network/hello-scene.js'
import { ensure, holds } from '../../../../helpers/property.js'
import { until } from '../../../../helpers/until.js'

const OURS = PROTOCOL_VERSIONS.highest

/** What an end that was sent these bytes as a hello says: the code of its refusal, or `welcome`. */
async function answerTo(scene: HelloScene, hello: Uint8Array): Promise<unknown> {
  const { speaker, piped } = scene
  speaker.sayBytes('hello', hello)
  const said = () => speaker.heard.find(({ kind }) => kind !== 'hello')
  const { kind, value } = await until('an answer to the hello', said)
  piped.initiator.destroy()
  return kind === 'welcome' ? kind : value.code
}

function honest({ speaker, genuine, speakerKey }: HelloScene): HelloMessage {
  return speaker.honestHello(genuine, speakerKey.secretKey)
}

/** What a hello proves, whatever its spelling: base64 has spare bits. */
function meaningOf(bytes: Uint8Array): string | null {
  try {
    const { certificate, proof } = readHello(bytes)
    return [certificate.body, certificate.signature, proof]
      .map((part) => Buffer.from(part).toString('hex'))
      .join()
  } catch {
    // It means nothing.
    return null
  }
}

/** The text of an honest hello, and where in it stands what was picked. */
function stretchOf(scene: HelloScene, part: 'all' | 'body' | 'signature' | 'proof') {
  const hello = honest(scene)
  const text = JSON.stringify(hello)
  const { certificate, proof } = hello
  const value = { all: text, proof, ...certificate }[part]
  return { text, start: text.indexOf(value), length: value.length }
}

test('should refuse a hello when any byte of it, of its certificate or of its proof is another', async (t) => {
  const parts = fc.constantFrom('all', 'body', 'signature', 'proof' as const)
  const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const replacement = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9+/]$/).map((letter) => letter.charCodeAt(0)),
    fc.nat(255),
  )
  await holds(
    t,
    fc.asyncProperty(parts, position, replacement, async (part, where, byte) => {
      const scene = await helloScene(t)
      const { text, start, length } = stretchOf(scene, part)
      const changed = Buffer.from(text)
      changed[start + Math.floor(where * length)] = byte
      // Other spellings of the same are as good, and so is a later highest version.
      const isSame = meaningOf(changed) === meaningOf(Buffer.from(text))
      const answer = await answerTo(scene, changed)
      ensure(isSame || answer !== 'welcome', `it is welcome: ${changed}`)
    }),
    80,
  )
})

test('should welcome a hello when its versions hold ours, and refuse it otherwise', async (t) => {
  const version = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 0xffff }))
  await holds(
    t,
    fc.asyncProperty(version, version, async (lowest, highest) => {
      const scene = await helloScene(t)
      const hello = { ...honest(scene), versions: { lowest, highest } }
      const answer = await answerTo(scene, Buffer.from(JSON.stringify(hello)))
      const expected = lowest <= OURS && highest >= OURS ? 'welcome' : 'VERSION_UNSUPPORTED'
      ensure(answer === expected, `${lowest} to ${highest}: ${answer}`)
    }),
    25,
  )
})
