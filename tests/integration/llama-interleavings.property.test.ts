import test from 'brittle'
import fc from 'fast-check'
import type { LlamaRuntime } from '../../facilities/engine/llama-runtime.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { begin, openRuntime } from '../helpers/loaded-runtime.js'
import { ensure, holds } from '../helpers/property.js'

const PROMPTS = ['Once upon a time', 'The sun was', 'Tom and his mom', 'One day a girl named Sue']
const MAX_TOKENS = 24
const CANCELLED = new Error('cancelled by the test')

/** What may happen, in any order, to a request by its number. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), of: fc.nat(3) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('take' as const), of: fc.nat(9) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), of: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), of: fc.nat(9) }) },
)

/** Before which step the runtime is closed: mostly before none, because opening one takes long. */
const closing = fc.nat(99)

/** One request, and what came of it. */
class Request {
  readonly prompt: string
  readonly ids: number[] = []
  failure: unknown = null
  readonly #cancel = new AbortController()
  readonly #generation
  #steps: Promise<unknown> = Promise.resolve()

  constructor(runtime: LlamaRuntime, prompt: string) {
    this.prompt = prompt
    const { signal } = this.#cancel
    this.#generation = begin(runtime, prompt, { maxTokens: MAX_TOKENS }, { signal })
  }

  take(): void {
    this.#then(async () => {
      const { done, value } = await this.#generation.next()
      if (!done && value.tokenId !== null) this.ids.push(value.tokenId)
    })
  }

  cancel(): void {
    this.#cancel.abort(CANCELLED)
  }

  leave(): void {
    this.#then(async () => await this.#generation.return(undefined as never))
  }

  async settled(): Promise<void> {
    await this.#steps
  }

  #then(action: () => Promise<unknown>): void {
    this.#steps = this.#steps.then(action).catch((error: unknown) => {
      this.failure ??= error
    })
  }
}

function isExpected(failure: unknown): boolean {
  if (failure === null || failure === CANCELLED) return true
  return failure instanceof StarlingError && failure.code === 'DRAINING'
}

test('should never mix answers up, and leave nothing behind, however requests come and go', async (t) => {
  t.timeout(3_600_000)
  const reference = await openRuntime({ slots: 1, contextTokens: 64 })
  const expected = new Map<string, number[]>()
  for (const prompt of PROMPTS) {
    const alone = new Request(reference, prompt)
    for (let taken = 0; taken < MAX_TOKENS; taken++) alone.take()
    alone.leave()
    await alone.settled()
    expected.set(prompt, alone.ids)
  }
  await reference.close()

  let runtime = await openRuntime({ slots: 2, contextTokens: 64 })
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 30 }),
    closing,
    async (steps, closeAt) => {
      const requests: Request[] = []
      let closed: Promise<void> | null = null
      for (const [at, { kind, of }] of steps.entries()) {
        if (at === closeAt) closed = runtime.close()
        const prompt = PROMPTS[of]
        const request = requests[of]
        if (kind === 'begin' && prompt !== undefined) requests.push(new Request(runtime, prompt))
        if (kind === 'take') request?.take()
        if (kind === 'cancel') request?.cancel()
        if (kind === 'leave') request?.leave()
        // Lets some of the work happen in between.
        if (of % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      for (const request of requests) request.cancel()
      for (const request of requests) request.leave()
      await Promise.all(requests.map((request) => request.settled()))
      await closed
      if (closed !== null) runtime = await openRuntime({ slots: 2, contextTokens: 64 })
      for (const { prompt, ids, failure } of requests) {
        ensure(isExpected(failure), `failed with ${failure}`)
        const right = expected.get(prompt)?.slice(0, ids.length)
        ensure(ids.join() === right?.join(), `${prompt}: ${ids.join()}`)
      }
      // Both slots are free, and whoever comes next is answered as by a fresh engine.
      const after = [0, 1].map((index) => new Request(runtime, PROMPTS[index] ?? ''))
      for (const request of after) for (let taken = 0; taken < 3; taken++) request.take()
      await Promise.all(after.map((request) => request.settled()))
      for (const request of after) request.leave()
      await Promise.all(after.map((request) => request.settled()))
      for (const { prompt, ids, failure } of after) {
        ensure(failure === null, `afterwards: ${failure}`)
        ensure(ids.join() === expected.get(prompt)?.slice(0, 3).join(), `afterwards: ${prompt}`)
      }
    },
  )
  await holds(t, property, 25)
  await runtime.close()
})
