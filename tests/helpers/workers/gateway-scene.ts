import type { Test } from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { Service } from '../../../facilities/network/calls/service.js'
import { authProtocol } from '../../../helpers/protocol/auth-protocol.js'
import { EncodedChunk } from '../../../helpers/protocol/chunk-codec.js'
import { gatewayProtocol } from '../../../helpers/protocol/gateway-protocol.js'
import type { AnswerHead } from '../../../helpers/protocol/generation.js'
import type { RequestInput } from '../../../helpers/protocol/method.js'
import {
  type OfferedModel,
  processorProtocol,
} from '../../../helpers/protocol/processor-protocol.js'
import { createPrivateKeyPem, SessionKeys } from '../../../workers/auth/session-keys.js'
import { GatewayWorker } from '../../../workers/gateway/gateway-worker.js'
import type { EnginePool } from '../../../workers/processor/engine-pool.js'
import { ProcessorWorker } from '../../../workers/processor/processor-worker.js'
import { Cleanup } from '../cleanup.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { createSession, TEST_MESH } from '../factory.js'
import { withHead } from '../network/answer-stand-in.js'
import { callUnary, openStream, requestContext } from '../network/call-service.js'
import { type ConnectionStandIn, connectionTo, PeersStandIn } from '../network/peers-stand-in.js'
import { settle } from '../until.js'
import { ADMIT_FREELY, type GatewayLimits } from './admission-settings.js'
import { offeredModel, poolOf } from './offered-models.js'

const random = new SystemRandom()
const keys = new SessionKeys(createPrivateKeyPem(random))

/** The default request of the scene's user. */
export const MESSAGES = [{ role: 'user' as const, content: 'one two three' }]

/** How a processor without an engine ends its answers. */
const END = {
  finishReason: 'stop' as const,
  promptTokens: 3,
  cachedTokens: 0,
  completionTokens: 1,
  timings: { promptMs: 0, generationMs: 0 },
}

/** A gateway, and the workers behind it that a test connects. */
export async function gatewayScene(
  t: Test,
  settings: Partial<GatewayLimits> & { defaultModel?: string } = {},
) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const service = new Service()
  const auth = new PeersStandIn('auth')
  const processors = new PeersStandIn('processor')
  const options = {
    ...ADMIT_FREELY,
    ...settings,
    mesh: TEST_MESH,
    clock,
    random,
    loadIntervalMs: 500,
  }
  const gateway = new GatewayWorker({ ...options, service, auth, processors })
  cleanup.add(() => gateway.close())
  await gateway.ready()

  const authService = new Service()
    .unary(authProtocol.register, async () => ({ userId: 'usr_1' }))
    .unary(authProtocol.login, async () => ({ token: 'a.b.c', expiresInMs: 1 }))
    .unary(authProtocol.sessionKeys, async () => ({ keys: keys.publicKeys() }))
  const authConnection = connectionTo(authService, { caller: 'gateway', peer: 'auth' })

  const connectPool = async (pool: EnginePool) => {
    const behind = new Service()
    const worker = new ProcessorWorker({ service: behind, pool })
    cleanup.add(() => worker.close())
    await worker.serving()
    const connection = connectionTo(behind, { caller: 'gateway', peer: 'processor' })
    processors.connect(connection)
    await settle()
    return { connection, worker }
  }
  const sessionOf = (userId: string, isLocal = false) =>
    createSession(keys, { nowMs: clock.now(), userId, isLocal })
  const session = (isLocal = false) => sessionOf('usr_1', isLocal)
  return {
    gateway,
    clock,
    service,
    session,
    sessionOf,
    authConnection,
    connectAuth: () => auth.connect(authConnection),
    loseAuth: () => auth.lose(authConnection),
    loseProcessor: (connection: ConnectionStandIn) => processors.lose(connection),
    /** Connects a processor with this engine. */
    connectProcessor: async (engine = new ScriptedEngine(), slots = 4) => ({
      engine,
      ...(await connectPool(poolOf(engine, { slots }))),
    }),
    /** Connects a processor with the models of this pool. */
    connectPool,
    /** Connects a processor that reports these models, which the test may change, and answers. */
    connectReporting: async (...models: OfferedModel[]) => {
      const load = { models }
      const behind = new Service()
        .unary(processorProtocol.load, async () => structuredClone(load))
        .stream(
          processorProtocol.generate,
          withHead({}, async function* () {
            yield { text: 'yes', tokenId: 0, index: 0 }
            return END
          }),
        )
      const connection = connectionTo(behind, { caller: 'gateway', peer: 'processor' })
      processors.connect(connection)
      await settle()
      return { connection, load }
    },
    /** Connects a processor with a model of its own that answers with these messages, whatever they contain. */
    connectSending: async (head: AnswerHead, ...messages: Uint8Array[]) => {
      const log = { running: 0 }
      async function* send() {
        log.running += 1
        try {
          for (const bytes of messages) yield new EncodedChunk(bytes, { count: 1 })
          return END
        } finally {
          log.running -= 1
        }
      }
      const behind = new Service()
        .unary(processorProtocol.load, async () => ({ models: [offeredModel('sent')] }))
        .stream(processorProtocol.generate, async () => ({ head, chunks: send() }))
      const connection = connectionTo(behind, { caller: 'gateway', peer: 'processor' })
      processors.connect(connection)
      await settle()
      return { connection, log }
    },
    /** Requests the list of models and the check of this one. */
    checkModel: (model: string) => {
      const request = { credential: session(), model }
      return callUnary(service, gatewayProtocol.models, request, requestContext('client'))
    },
    infer: (
      changes: Partial<RequestInput<typeof gatewayProtocol.infer>> = {},
      signal = new AbortController().signal,
    ) => {
      const request = { credential: session(), messages: MESSAGES, ...changes }
      const context = requestContext('client', { signal, requestId: 'req_travels' })
      return openStream(service, gatewayProtocol.infer, request, context)
    },
  }
}
