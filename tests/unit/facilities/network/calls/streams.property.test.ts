import test, { type Test } from 'brittle'
import fc from 'fast-check'
import { Service } from '../../../../../facilities/network/calls/service.js'
import type { OutgoingConnection } from '../../../../../facilities/network/connection/outgoing-connection.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import type { PipedStreams } from '../../../../helpers/network/piped-streams.js'
import { count } from '../../../../helpers/network/sample-service.js'
import { ensure, holds } from '../../../../helpers/property.js'
import { settle, until } from '../../../../helpers/until.js'

const WINDOWS = [1, 2, 3, 8, 64]
const MOST_STREAMS = 4

/** What happens on one stream. Turns are rounds of the event loop that somebody lets pass. */
interface Plan {
  readonly chunks: number
  /** How long the handler takes for each chunk, over and over. */
  readonly producerTurns: readonly number[]
  /** How long the reader takes. */
  readonly readerTurns: readonly number[]
  /** After this many chunks the handler fails. */
  readonly failsAfter: number | null
  /** After this many chunks the reader has enough, and how it says so. */
  readonly leavesAfter: number | null
  readonly leavesBy: 'return' | 'signal' | 'signal while reading'
}

const turns = fc.array(fc.nat(2), { minLength: 1, maxLength: 4 })
const plans: fc.Arbitrary<Plan> = fc.record({
  chunks: fc.nat(40),
  producerTurns: turns,
  readerTurns: turns,
  failsAfter: fc.option(fc.nat(40), { freq: 2, nil: null }),
  leavesAfter: fc.option(fc.nat(40), { nil: null }),
  leavesBy: fc.constantFrom('return', 'signal', 'signal while reading'),
})

/** What the handler of one stream did. */
interface Handled {
  plan: Plan
  read: number
  produced: number
  isRunning: boolean
  signal: AbortSignal | null
}

/** A connection whose handlers do what the plan with the number that they are asked for says. */
class Scene {
  readonly handled = new Map<number, Handled>()
  readonly mesh: PipedMesh
  readonly connection: OutgoingConnection
  readonly piped: PipedStreams
  #number = 0

  constructor(mesh: PipedMesh, connection: OutgoingConnection, piped: PipedStreams) {
    this.mesh = mesh
    this.connection = connection
    this.piped = piped
  }

  static async open(t: Test, window: number): Promise<Scene> {
    const mesh = new PipedMesh(t)
    let scene: Scene | undefined
    const service = new Service().stream(count, ({ to }, { signal }) => {
      const handled = scene?.handled.get(to)
      if (handled === undefined) throw new Error('No plan has that number')
      return handle(handled, window, signal)
    })
    const limits = { streamWindowChunks: window, maxStreamsPerKey: MOST_STREAMS }
    const { connection, piped } = await mesh.connected(service, {
      gateway: { limits },
      client: { limits },
    })
    scene = new Scene(mesh, connection, piped)
    return scene
  }

  /** Channels that the multiplexer of the client still remembers. */
  get channels(): number {
    return Object(this.piped.initiator.userData)._infos.size
  }

  /** Opens a stream for the plan. Returns what it came to, never rejecting. */
  async run(plan: Plan): Promise<{ handled: Handled; outcome: Outcome }> {
    const number = this.#number++
    const handled = { plan, read: 0, produced: 0, isRunning: false, signal: null }
    this.handled.set(number, handled)
    return { handled, outcome: await this.#read(number, handled) }
  }

  async #read(number: number, handled: Handled): Promise<Outcome> {
    const { plan } = handled
    const leaving = new AbortController()
    const call = this.mesh.call({ signal: leaving.signal })
    const stream = this.connection.open(count, { to: number }, call)
    const leave = () => leaving.abort(new StarlingError('CANCELLED', 'Enough'))
    try {
      for (;;) {
        if (handled.read === plan.leavesAfter) {
          if (plan.leavesBy === 'return') {
            await stream.return({ total: 0 })
            return 'left'
          }
          if (plan.leavesBy === 'signal') leave()
          else setImmediate(leave)
        }
        await settle(plan.readerTurns[handled.read % plan.readerTurns.length])
        const step = await stream.next()
        if (step.done) return step.value.total === plan.chunks ? 'whole' : 'another end'
        ensure(step.value.n === handled.read, `chunk ${step.value.n} came as ${handled.read}`)
        handled.read += 1
      }
    } catch (error) {
      return Object(error).code ?? String(error)
    }
  }
}

type Outcome = string

async function* handle(
  handled: Handled,
  window: number,
  signal: AbortSignal,
): AsyncGenerator<{ n: number }, { total: number }, void> {
  const { plan } = handled
  handled.signal = signal
  handled.isRunning = true
  try {
    for (let n = 0; n < plan.chunks; n += 1) {
      if (n === plan.failsAfter) throw new StarlingError('ENGINE_CRASHED', 'As planned')
      await settle(plan.producerTurns[n % plan.producerTurns.length])
      handled.produced += 1
      const ahead = handled.produced - handled.read
      ensure(ahead <= window, `${ahead} chunks ahead of the reader, at a window of ${window}`)
      yield { n }
    }
    return { total: plan.chunks }
  } finally {
    handled.isRunning = false
  }
}

/** What the plan must come to when nothing but the plan happens. */
function isExpected({ plan, read }: Handled, outcome: Outcome): boolean {
  const fails = plan.failsAfter !== null && plan.failsAfter < plan.chunks
  const last = fails ? Number(plan.failsAfter) : plan.chunks
  const ending = fails ? 'ENGINE_CRASHED' : 'whole'
  if (outcome === ending && read === last) {
    if (plan.leavesAfter === null || plan.leavesAfter > last) return true
    // The end may have been there already; and whoever says it while reading may be too late.
    const isLate = plan.leavesAfter === last || plan.leavesBy === 'signal while reading'
    return isLate && plan.leavesBy !== 'return'
  }
  if (plan.leavesAfter === null || read < plan.leavesAfter || read > last) return false
  if (plan.leavesBy === 'return') return outcome === 'left' && read === plan.leavesAfter
  if (plan.leavesBy === 'signal' && read !== plan.leavesAfter) return false
  return outcome === 'CANCELLED'
}

/** Waits until the handlers are over and no timer is left. */
async function allEnded(scene: Scene, handled: readonly Handled[], timers: number): Promise<void> {
  await until('the handlers to end', () => handled.every(({ isRunning }) => !isRunning), 1_000)
  await until('the timers to end', () => scene.mesh.time.pending === timers, 1_000)
  scene.handled.clear()
}

test('should deliver every chunk once and in order, and end both sides, however it is read, left or failed', async (t) => {
  const scenes = new Map<number, Scene>()
  await holds(
    t,
    fc.asyncProperty(
      fc.constantFrom(...WINDOWS),
      fc.array(plans, { minLength: 1, maxLength: MOST_STREAMS }),
      async (window, some) => {
        const scene = scenes.get(window) ?? (await Scene.open(t, window))
        // Kept for the next example only when this one has left it as it was.
        scenes.delete(window)
        const timers = scene.mesh.time.pending
        const channels = scene.channels
        const ended = await Promise.all(some.map((plan) => scene.run(plan)))
        const handled = ended.map((one) => one.handled)
        await allEnded(scene, handled, timers)
        for (const { handled, outcome } of ended) {
          ensure(isExpected(handled, outcome), `${outcome} after ${handled.read} chunks`)
        }
        await until('the channels to be forgotten', () => scene.channels === channels, 1_000)
        ensure(scene.connection.isOpen, 'the connection is lost')
        scenes.set(window, scene)
      },
    ),
    60,
  )
})

test('should end both sides and deliver nothing wrong when the connection breaks at any moment', async (t) => {
  await holds(
    t,
    fc.asyncProperty(
      fc.constantFrom(...WINDOWS),
      fc.array(plans, { minLength: 1, maxLength: MOST_STREAMS }),
      fc.nat(60),
      async (window, some, turnsUntilCut) => {
        const scene = await Scene.open(t, window)
        const running = some.map((plan) => scene.run(plan))
        await settle(turnsUntilCut)
        scene.piped.responder.destroy()
        const ended = await Promise.all(running)
        const handled = ended.map((one) => one.handled)
        await allEnded(scene, handled, 0)
        for (const { handled, outcome } of ended) {
          ensure(
            outcome === 'PEER_LOST' || isExpected(handled, outcome),
            `${outcome} after ${handled.read} chunks`,
          )
        }
      },
    ),
    15,
  )
})
