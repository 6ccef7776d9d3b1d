import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { ClientWorker } from '../../../../workers/client/client-worker.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { withHead } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { connectionTo, PeersStandIn } from '../../../helpers/network/peers-stand-in.js'

const MESSAGES = [{ role: 'user' as const, content: 'Why?' }]
const FINGERPRINT = 'ab'.repeat(32)
const never = new AbortController().signal

/** A client with a session, and a gateway that accepts only some. */
async function scene(t: Test) {
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const accepted = new Set(['kept'])
  const asked: object[] = []
  const options = { failAfterFirst: undefined as StarlingError | undefined, secondIndex: 1 }
  const service = new Service()
    .unary(gatewayProtocol.register, async () => ({ userId: 'usr_1' }))
    .unary(gatewayProtocol.login, async () => ({ token: 'renewed', expiresInMs: 3_600_000 }))
    .stream(
      gatewayProtocol.infer,
      withHead({ seed: 7, model: 'small', fingerprint: FINGERPRINT }, async function* (request) {
        asked.push(request)
        if (!accepted.has(request.credential)) {
          throw new StarlingError('INVALID_CREDENTIAL', `${request.credential} is not accepted`)
        }
        yield { text: 'because', tokenId: 1, index: 0 }
        if (options.failAfterFirst) throw options.failAfterFirst
        yield { text: ' of', tokenId: 2, index: options.secondIndex }
        return {
          finishReason: 'stop' as const,
          promptTokens: 1,
          cachedTokens: 0,
          completionTokens: 2,
          timings: { promptMs: 0, generationMs: 0 },
          model: request.model ?? 'any',
        }
      }),
    )
  const gateways = new PeersStandIn('gateway')
  gateways.connect(connectionTo(service, { caller: 'client', peer: 'gateway' }))
  const folder = await ClientFolder.open(await Home.open(await t.tmp()), random)
  const keepSession = (email: string) =>
    folder.saveSession({ email, token: 'kept', expiresAt: clock.now() + 3_600_000 })
  await keepSession('ada@example.com')
  const useLocalAccount = async () => keepSession((await folder.ensureLocalAccount()).email)
  const waiting = { lookedFor: 'gateways', waitMs: 0, onWaiting: () => undefined }
  const client = new ClientWorker({ ...waiting, gateways, folder, clock, random })
  return { client, accepted, asked, folder, options, useLocalAccount }
}

test('should send the prompt with the saved session', async (t) => {
  const { client, asked } = await scene(t)
  const question = { messages: MESSAGES, model: 'small', options: { maxTokens: 5 } }
  const { chunks, end } = await readAll(client.ask(question, never))
  t.alike(
    chunks,
    [
      { text: 'because', tokenId: 1, index: 0, seed: 7, model: 'small' },
      { text: ' of', tokenId: 2, index: 1 },
    ],
    'the first token says how to repeat the answer',
  )
  t.is(end.model, 'small')
  const [request] = asked
  t.is(Object(request).credential, 'kept')
  t.is(Object(request).options.maxTokens, 5)
})

test('should leave the choice to the mesh when no model is named', async (t) => {
  const { client, asked } = await scene(t)
  t.is(
    (await readAll(client.ask({ messages: MESSAGES, model: undefined }, never))).end.model,
    'any',
  )
  t.absent('model' in Object(asked[0]))
})

test('should renew the session once when the mesh does not accept it any more', async (t) => {
  const { client, accepted, asked, folder, useLocalAccount } = await scene(t)
  await useLocalAccount()
  accepted.clear()
  accepted.add('renewed')
  t.is((await readAll(client.ask({ messages: MESSAGES }, never))).chunks.length, 2)
  t.alike(
    asked.map((request) => Object(request).credential),
    ['kept', 'renewed'],
  )
  t.is((await folder.session())?.token, 'renewed')
})

test('should give up when the renewed session is not accepted either', async (t) => {
  const { client, accepted, asked, useLocalAccount } = await scene(t)
  await useLocalAccount()
  accepted.clear()
  await t.exception(readAll(client.ask({ messages: MESSAGES }, never)), {
    code: 'INVALID_CREDENTIAL',
    message: 'renewed is not accepted',
  })
  t.is(asked.length, 2)
})

test('should say why the session was refused when nobody can renew it without a password', async (t) => {
  const { client, accepted, asked } = await scene(t)
  accepted.clear()
  await t.exception(readAll(client.ask({ messages: MESSAGES }, never)), {
    code: 'INVALID_CREDENTIAL',
    message: 'kept is not accepted',
  })
  t.is(asked.length, 1)
})

test('should fail when a token is missing or comes twice', async (t) => {
  const { client, options } = await scene(t)
  for (const index of [0, 2]) {
    options.secondIndex = index
    const answer = client.ask({ messages: MESSAGES }, never)
    await answer.next()
    await t.exception(answer.next(), { code: 'PROTOCOL_VIOLATION' })
  }
})

test('should ask nothing again when the answer fails in its middle', async (t) => {
  const { client, asked, folder, options } = await scene(t)
  await folder.ensureLocalAccount()
  options.failAfterFirst = new StarlingError('PEER_LOST', 'gone')
  await t.exception(readAll(client.ask({ messages: MESSAGES }, never)), { code: 'PEER_LOST' })
  t.is(asked.length, 1)
})
