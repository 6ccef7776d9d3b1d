import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { ClientWorker } from '../../../../workers/client/client-worker.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount, createQuestion, createUserId } from '../../../helpers/factory.js'
import { withHead } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { connectionTo, PeersStandIn } from '../../../helpers/network/peers-stand-in.js'

const ADA = createAccount()
const MODEL = { name: 'small', processors: 1, loaded: 1, slots: 4 }
const never = new AbortController().signal

/** A client, and a gateway that knows one session by its token. */
async function scene(t: Test) {
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const sessions = new Set<string>()
  const credentials: string[] = []
  const verify = (credential: string) => {
    credentials.push(credential)
    if (sessions.has(credential)) return
    throw new StarlingError('INVALID_CREDENTIAL', 'The session is none')
  }
  const service = new Service()
    .unary(gatewayProtocol.register, async () => ({ userId: createUserId() }))
    .unary(gatewayProtocol.login, async () => {
      const token = `session.${sessions.size + 1}`
      sessions.add(token)
      return { token, expiresInMs: 60_000 }
    })
    .unary(gatewayProtocol.whoami, async ({ credential }) => {
      verify(credential)
      return { userId: createUserId(), expiresInMs: 50_000 }
    })
    .unary(gatewayProtocol.models, async ({ credential, model = MODEL.name }) => {
      verify(credential)
      if (model !== MODEL.name) throw new StarlingError('MODEL_UNAVAILABLE', `no ${model}`)
      return { models: [{ ...MODEL, contextTokens: 4_096 }] }
    })
    .stream(
      gatewayProtocol.infer,
      withHead({ seed: 1, model: MODEL.name }, async function* ({ credential, messages }) {
        verify(credential)
        yield { text: String(messages.at(-1)?.content), tokenId: 1, index: 0 }
        return {
          finishReason: 'stop' as const,
          promptTokens: 1,
          cachedTokens: 0,
          completionTokens: 1,
          timings: { promptMs: 0, generationMs: 0 },
          model: MODEL.name,
        }
      }),
    )
  const gateways = new PeersStandIn('gateway')
  gateways.connect(connectionTo(service, { caller: 'client', peer: 'gateway' }))
  const client = new ClientWorker({
    gateways,
    folder: await ClientFolder.open(await Home.open(await t.tmp()), random),
    lookedFor: 'gateways of this test',
    waitMs: 0,
    onWaiting: () => undefined,
    clock,
    random,
  })
  return { client, sessions, credentials }
}

test('should ask for a login first when there is no session', async (t) => {
  const { client, credentials } = await scene(t)
  for (const attempt of [
    () => client.whoami(never),
    () => client.models(never),
    () => client.ask(createQuestion('Why?'), never).next(),
  ]) {
    await t.exception(attempt, { code: 'NOT_LOGGED_IN' })
  }
  t.alike(credentials, [], 'nobody was bothered')
})

test('should send the session of this home with every request', async (t) => {
  const { client, credentials } = await scene(t)
  await client.accounts.register(ADA, never)
  t.alike(await client.whoami(never), {
    email: ADA.email,
    userId: createUserId(),
    expiresInMs: 50_000,
  })
  t.alike(await client.models(never), [{ ...MODEL, contextTokens: 4_096 }])
  t.alike(await client.models(never, MODEL.name), [{ ...MODEL, contextTokens: 4_096 }])
  const { chunks, end } = await readAll(client.ask(createQuestion('Why?'), never))
  t.alike(
    chunks.map(({ text }) => text),
    ['Why?'],
  )
  t.is(end.model, MODEL.name)
  t.alike(credentials, Array(4).fill('session.1'))
})

test('should fail with INVALID_CREDENTIAL, and work again after a login, when the session has ended', async (t) => {
  const { client, sessions } = await scene(t)
  await client.accounts.register(ADA, never)
  sessions.delete('session.1')
  sessions.add('of somebody else')
  await t.exception(client.whoami(never), { code: 'INVALID_CREDENTIAL' })
  await client.accounts.login(ADA, never)
  t.is((await client.whoami(never)).email, ADA.email)
})

test('should say at once that a model is missing, because only a chat request waits for it', async (t) => {
  const { client } = await scene(t)
  await client.accounts.register(ADA, never)
  await t.exception(client.models(never, 'other'), { code: 'MODEL_UNAVAILABLE' })
})
