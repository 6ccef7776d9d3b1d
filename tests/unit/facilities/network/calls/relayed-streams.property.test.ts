import test, { type Test } from 'brittle'
import fc from 'fast-check'
import { Service } from '../../../../../facilities/network/calls/service.js'
import type { OutgoingConnection } from '../../../../../facilities/network/connection/outgoing-connection.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import type { Token } from '../../../../../helpers/protocol/generation.js'
import { TokenOrder } from '../../../../../helpers/protocol/token-chunk.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { say, tokenAt } from '../../../../helpers/network/sample-streams.js'
import { ensure, holds } from '../../../../helpers/property.js'
import { settle, until } from '../../../../helpers/until.js'

const MOST_STREAMS = 3
const GATHER_MS = 8

/** What happens on one stream through a relay. Pauses are in milliseconds; 0 is the same tick. */
interface Plan {
  readonly tokens: number
  /** How long the handler takes for each token, over and over. */
  readonly producerMs: readonly number[]
  readonly readerMs: readonly number[]
  /** After this many tokens the handler fails. */
  readonly failsAfter: number | null
  /** After this many tokens the reader leaves. */
  readonly leavesAfter: number | null
}

const pauses = fc.array(fc.constantFrom(0, 0, 0, 1, 3, 20), { minLength: 1, maxLength: 4 })
const plans: fc.Arbitrary<Plan> = fc.record({
  tokens: fc.nat(60),
  producerMs: pauses,
  readerMs: pauses,
  failsAfter: fc.option(fc.nat(60), { freq: 2, nil: null }),
  leavesAfter: fc.option(fc.nat(60), { freq: 2, nil: null }),
})

/** A client, a gateway that relays, and a processor whose handlers follow plans. */
class Scene {
  readonly mesh: PipedMesh
  readonly connection: OutgoingConnection
  readonly #plans: Map<number, Plan>
  running = 0

  private constructor(mesh: PipedMesh, connection: OutgoingConnection, some: Map<number, Plan>) {
    this.mesh = mesh
    this.connection = connection
    this.#plans = some
  }

  /** @param windows of the gateway and of the client */
  static async open(t: Test, windows: { gateway: number; client: number }): Promise<Scene> {
    const mesh = new PipedMesh(t)
    const some = new Map<number, Plan>()
    const behind = { ...say, name: 'processor.say' }
    const limits = { gatherMs: GATHER_MS, heartbeatIntervalMs: 1_000_000, maxStreamsPerKey: 100 }
    let scene: Scene | undefined
    const processor = await mesh.node('processor', {
      service: new Service().stream(behind, async ({ words }, { signal }) => {
        const plan = some.get(words)
        if (plan === undefined || scene === undefined) throw new Error('No such plan')
        return { head: { title: `plan ${words}` }, chunks: scene.#produce(plan, signal) }
      }),
      limits,
    })
    const service = new Service()
    const gateway = await mesh.node('gateway', {
      service,
      limits: { ...limits, streamWindowChunks: windows.gateway },
    })
    const toProcessor = await mesh.dial(gateway, processor)
    service.stream(say, async ({ words }, { signal }) => {
      const answer = toProcessor.relay(behind, { words }, mesh.call({ signal }))
      return { head: await answer.head(), chunks: answer }
    })
    const client = await mesh.node('client', {
      limits: { ...limits, streamWindowChunks: windows.client },
    })
    scene = new Scene(mesh, await mesh.dial(client, gateway), some)
    return scene
  }

  async *#produce(plan: Plan, signal: AbortSignal): AsyncGenerator<Token, { total: number }, void> {
    this.running += 1
    try {
      for (let index = 0; index < plan.tokens; index += 1) {
        if (index === plan.failsAfter) throw new StarlingError('ENGINE_CRASHED', 'As planned')
        const pauseMs = plan.producerMs[index % plan.producerMs.length] ?? 0
        if (pauseMs > 0) await this.mesh.time.sleep(pauseMs, signal)
        yield tokenAt(index)
      }
      return { total: plan.tokens }
    } finally {
      this.running -= 1
    }
  }

  /** Reads a stream by a plan. @returns the tokens that were read, and how it ended */
  async read(number: number, plan: Plan): Promise<{ read: number; outcome: string }> {
    this.#plans.set(number, plan)
    const answer = this.connection.open(say, { words: number }, this.mesh.call())
    const order = new TokenOrder()
    let read = 0
    try {
      const { title } = await answer.head()
      ensure(title === `plan ${number}`, 'the head of another stream')
      for (;;) {
        if (read === plan.leavesAfter) {
          await answer.return({ total: 0 })
          return { read, outcome: 'left' }
        }
        const pauseMs = plan.readerMs[read % plan.readerMs.length] ?? 0
        if (pauseMs > 0) await this.mesh.time.sleep(pauseMs)
        const step = await answer.next()
        if (step.done) return { read, outcome: `whole of ${step.value.total}` }
        order.take({ index: step.value.index, count: 1 })
        ensure(step.value.text === tokenAt(read).text, 'another token')
        read += 1
      }
    } catch (error) {
      return { read, outcome: String(Object(error).code ?? error) }
    }
  }
}

/** How a plan must end when nothing but the plan happens. */
function expected({ tokens, failsAfter, leavesAfter }: Plan): { read: number; outcome: string } {
  const fails = failsAfter !== null && failsAfter < tokens
  const last = fails ? failsAfter : tokens
  if (leavesAfter !== null && leavesAfter <= last) return { read: leavesAfter, outcome: 'left' }
  return { read: last, outcome: fails ? 'ENGINE_CRASHED' : `whole of ${tokens}` }
}

test('should deliver every token once and in order through a relay, however they are gathered and read', async (t) => {
  await holds(
    t,
    fc.asyncProperty(
      fc.record({ gateway: fc.constantFrom(1, 2, 8, 64), client: fc.constantFrom(1, 2, 8, 64) }),
      fc.array(plans, { minLength: 1, maxLength: MOST_STREAMS }),
      async (windows, some) => {
        const scene = await Scene.open(t, windows)
        const timers = scene.mesh.time.pending
        const reading = Promise.all(some.map((plan, number) => scene.read(number, plan)))
        const ended = await scene.mesh.time.advanceUntil(reading)
        for (const [number, plan] of some.entries()) {
          const wanted = JSON.stringify(expected(plan))
          const got = JSON.stringify(ended[number])
          ensure(got === wanted, `${got} instead of ${wanted}`)
        }
        await until('the handlers to end', () => scene.running === 0, 1_000)
        await settle()
        await until('the timers to end', () => scene.mesh.time.pending === timers, 1_000)
      },
    ),
    15,
  )
})
