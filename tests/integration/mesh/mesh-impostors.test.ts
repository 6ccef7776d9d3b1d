import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import { Service } from '../../../facilities/network/calls/service.js'
import type { SignedCertificate } from '../../../helpers/identity/certificate.js'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import { gatewayProtocol } from '../../../helpers/protocol/gateway-protocol.js'
import { PROTOCOL_VERSIONS } from '../../../helpers/protocol/hello-message.js'
import { withHead } from '../../helpers/network/answer-stand-in.js'
import { HelloSpeaker } from '../../helpers/network/hello-speaker.js'
import { LocalMesh } from '../../helpers/network/local-mesh.js'
import { MeshAuthority, newKeyPair } from '../../helpers/network/mesh-authority.js'
import { until } from '../../helpers/until.js'

const PASSWORD = 'correct horse battery staple'
const PROMPT = 'why is the sky blue over Ancient Babylon'

interface Impostor {
  /** All that anybody said to it, decrypted. */
  heard(): string
  connections(): number
}

/**
 * Somebody who announces on the gateway's topic with a key of its own and listens.
 *
 * @param certificate what it shows; null says no word
 */
async function impostor(
  t: Test,
  mesh: LocalMesh,
  keyPair: KeyPair,
  certificate: SignedCertificate | null,
): Promise<Impostor> {
  const dht = mesh.dht()
  const server = dht.createServer({})
  const chunks: Buffer[] = []
  let connections = 0
  server.on('connection', (stream: HyperDHT.SecretStream) => {
    connections += 1
    stream.on('error', () => {})
    t.teardown(() => stream.destroy(), { order: -1 })
    stream.on('data', (bytes: Uint8Array) => chunks.push(Buffer.from(bytes)))
    if (certificate === null) return
    const { membershipKey } = mesh.authority
    const speaker = new HelloSpeaker(stream, { membershipKey })
    speaker.say('hello', speaker.honestHello(certificate, keyPair.secretKey))
    speaker.say('welcome', { version: PROTOCOL_VERSIONS.highest })
  })
  await server.listen(keyPair)
  await dht.announce(mesh.topic('gateway'), keyPair, server.relayAddresses).finished()
  return {
    heard: () => Buffer.concat(chunks).toString('latin1'),
    connections: () => connections,
  }
}

/** A gateway that answers whoever registers and asks. */
function gatewayService(passwords: string[]): Service {
  return new Service()
    .unary(gatewayProtocol.register, async ({ password }) => {
      passwords.push(password)
      return { userId: 'usr_1' }
    })
    .stream(
      gatewayProtocol.infer,
      withHead({ seed: 1, model: 'tiny' }, async function* () {
        yield { text: 'Because.', tokenId: 1, index: 0 }
        return {
          model: 'tiny',
          finishReason: 'stop',
          promptTokens: 1,
          cachedTokens: 0,
          completionTokens: 1,
          timings: { promptMs: 0, generationMs: 0 },
        } as const
      }),
    )
}

/** Registers and asks at whatever gateway it is connected to, as often as it is connected. */
async function trustingClient(mesh: LocalMesh) {
  const peers = mesh.peers('gateway', await mesh.node('client'), { intervalMs: 50 })
  const served: string[] = []
  peers.on('connected', (connection) => {
    const ask = async () => {
      const credential = { email: 'ada@example.com', password: PASSWORD }
      await connection.call(gatewayProtocol.register, credential, mesh.call())
      const messages = [{ role: 'user' as const, content: PROMPT }]
      const answer = connection.open(
        gatewayProtocol.infer,
        { credential: 'token', messages },
        mesh.call(),
      )
      for await (const { text } of answer) served.push(text)
    }
    ask().catch((error) => served.push(String(error)))
  })
  await peers.ready()
  return { peers, served }
}

const VARIANTS = {
  'says nothing': () => null,
  'shows the certificate of another mesh': (mesh: LocalMesh, key: KeyPair) =>
    new MeshAuthority(mesh.clock).certify(key, ['gateway']),
  'shows the certificate of a real gateway': (_: LocalMesh, __: KeyPair, real: SignedCertificate) =>
    real,
  'shows its own certificate, which is of a client': (mesh: LocalMesh, key: KeyPair) =>
    mesh.authority.certify(key, ['client']),
} as const

for (const [name, certificateOf] of Object.entries(VARIANTS)) {
  test(`should reveal no password and no prompt when an impostor ${name}`, async (t) => {
    const mesh = await LocalMesh.open(t)
    const identity = mesh.authority.identity('gateway')
    const key = newKeyPair()
    const certificate = certificateOf(mesh, key, identity.certificate())
    // It is there first, and alone: the client has nobody else to turn to.
    const thief = await impostor(t, mesh, key, certificate)
    const { peers, served } = await trustingClient(mesh)
    await until('the client to try the impostor', () => thief.connections() > 0)
    const passwords: string[] = []
    await mesh.announced('gateway', { identity, service: gatewayService(passwords) })
    await until('the answer of the real gateway', () => served.length > 0)
    t.alike(served, ['Because.'])
    t.alike(passwords, [PASSWORD])
    t.is(peers.connections.length, 1)
    const heard = thief.heard()
    for (const secret of [PASSWORD, PROMPT, 'ada@', 'gateway.register', 'gateway.infer']) {
      t.absent(heard.includes(secret), secret)
    }
    t.absent(heard.includes('starling/stream'), 'no stream was opened')
    // To a member of the mesh, whatever its role, the channel for calls opens; it stays empty.
    if (!name.includes('of a client')) {
      t.absent(heard.includes('protomux-rpc'), 'no channel for calls was opened')
    }
  })
}

test('should reveal nothing to nine impostors when they crowd the topic', async (t) => {
  const mesh = await LocalMesh.open(t)
  const identity = mesh.authority.identity('gateway')
  const kinds = Object.values(VARIANTS).slice(0, 3)
  const thieves = await Promise.all(
    Array.from({ length: 9 }, (_, i) => {
      const key = newKeyPair()
      const certificate = kinds[i % 3]?.(mesh, key, identity.certificate()) ?? null
      return impostor(t, mesh, key, certificate)
    }),
  )
  const passwords: string[] = []
  await mesh.announced('gateway', { identity, service: gatewayService(passwords) })
  const { served } = await trustingClient(mesh)
  await until('all impostors to be tried', () => thieves.every((one) => one.connections() > 0))
  await until('the answer of the real gateway', () => served.length > 0)
  t.alike(served, ['Because.'])
  const heard = thieves.map((one) => one.heard()).join()
  for (const secret of [PASSWORD, PROMPT, 'protomux-rpc', 'starling/stream']) {
    t.absent(heard.includes(secret), secret)
  }
})
