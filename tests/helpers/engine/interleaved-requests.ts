import fc from 'fast-check'
import type { GenerateRequest } from '../../../facilities/engine/engine.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { optionsOf } from '../factory.js'
import { ensure } from '../property.js'

const PROMPTS = ['Once upon a time', 'The sun was', 'Tom and his mom', 'One day a girl named Sue']
const MAX_TOKENS = 24

/** Why a request of {@link interleave} was cancelled. */
export const CANCELLED = new Error('cancelled by the test')

/** What answers: an engine in a child process, or the runtime inside that process. */
export interface Answering {
  generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void>
}

/** A step: what may happen, in any order, to a request, given by its number. */
export const requestSteps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), of: fc.nat(3) }) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('take' as const), of: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), of: fc.nat(9) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), of: fc.nat(9) }) },
  ),
  { maxLength: 30 },
)

/** One of the steps. */
export type RequestStep = typeof requestSteps extends fc.Arbitrary<(infer Step)[]> ? Step : never

/** One request and its outcome. */
export class InterleavedRequest {
  readonly prompt: string
  /** The tokens that were read. */
  readonly ids: number[] = []
  /** The first error; null when there was none. */
  failure: unknown = null
  readonly #cancel = new AbortController()
  readonly #generation
  #steps: Promise<unknown> = Promise.resolve()

  constructor(answering: Answering, prompt: string) {
    this.prompt = prompt
    const options = optionsOf({ maxTokens: MAX_TOKENS })
    const messages = [{ role: 'user' as const, content: prompt }]
    this.#generation = answering.generate({ messages, options }, this.#cancel.signal)
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

/**
 * Runs the steps, then ends all requests that they began.
 *
 * @param before called before each step with its place in the list
 * @returns the requests, settled
 */
export async function interleave(
  answering: Answering,
  steps: readonly RequestStep[],
  before: (at: number) => void,
): Promise<readonly InterleavedRequest[]> {
  const requests: InterleavedRequest[] = []
  for (const [at, { kind, of }] of steps.entries()) {
    before(at)
    const prompt = PROMPTS[of]
    const request = requests[of]
    if (kind === 'begin' && prompt !== undefined) {
      requests.push(new InterleavedRequest(answering, prompt))
    }
    if (kind === 'take') request?.take()
    if (kind === 'cancel') request?.cancel()
    if (kind === 'leave') request?.leave()
    // Lets some of the work happen in between.
    if (of % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const request of requests) request.cancel()
  for (const request of requests) request.leave()
  await Promise.all(requests.map((request) => request.settled()))
  return requests
}

/** The answer to each prompt from an otherwise idle engine. */
export class AnswersAlone {
  readonly #idsOf = new Map<string, number[]>()

  /** Sends every prompt, one after the other. */
  static async of(answering: Answering): Promise<AnswersAlone> {
    const answers = new AnswersAlone()
    for (const prompt of PROMPTS) {
      const alone = new InterleavedRequest(answering, prompt)
      for (let taken = 0; taken < MAX_TOKENS; taken++) alone.take()
      alone.leave()
      await alone.settled()
      ensure(alone.failure === null && alone.ids.length > 0, `${prompt}: ${alone.failure}`)
      answers.#idsOf.set(prompt, alone.ids)
    }
    return answers
  }

  /** Fails the example unless the request got a prefix of the answer that it gets alone. */
  ensureBegins({ prompt, ids }: InterleavedRequest): void {
    const right = this.#idsOf.get(prompt)?.slice(0, ids.length)
    ensure(ids.join() === right?.join(), `${prompt}: ${ids.join()}`)
  }

  /** Fails the example unless both slots are free and answer like new ones. */
  async ensureAnswered(answering: Answering): Promise<void> {
    const after = PROMPTS.slice(0, 2).map((prompt) => new InterleavedRequest(answering, prompt))
    for (const request of after) for (let taken = 0; taken < 3; taken++) request.take()
    await Promise.all(after.map((request) => request.settled()))
    for (const request of after) request.leave()
    await Promise.all(after.map((request) => request.settled()))
    for (const request of after) {
      ensure(request.failure === null, `afterwards: ${request.failure}`)
      ensure(request.ids.length === 3, `afterwards: ${request.ids.length} tokens`)
      this.ensureBegins(request)
    }
  }
}
