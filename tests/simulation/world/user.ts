import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { ClientWorker } from '../../../workers/client/client-worker.js'
import type { SeededRandom } from '../../helpers/seeded-random.js'
import type { Machine } from '../processes/machine.js'
import { promptOf } from './prompt.js'
import type { World } from './world.js'

const PASSWORD = 'correct horse'
/** Between two attempts to register. */
const AGAIN_MS = 700
/** The longest answer, in tokens. */
const MOST_TOKENS = 60
/** The answers by which a user finds out whether the mesh has recovered. */
const SHORT_TOKENS = 5
/** Accounts that one user registers beside the first. */
const MOST_FURTHER_ACCOUNTS = 2

/** How a user reads one answer. */
interface Reading {
  /** Stops after so many tokens; null: reads to the end. */
  readonly cancelsAfter: number | null
  /** Cancels after so many milliseconds, at whatever point the answer is then; null: does not. */
  readonly cancelsInMs: number | null
  /** Pauses after so many tokens, for so long; null: never. */
  readonly pause: { readonly after: number; readonly forMs: number } | null
  /** Between two tokens, in milliseconds. */
  readonly paceMs: number
}

/** One user with one client: registers, asks, reads, stops reading, cancels. */
export class User {
  readonly #world: World
  readonly #machine: Machine<ClientWorker>
  readonly #random: SeededRandom
  readonly #lanes: number
  readonly #accounts: string[] = []
  #requests = 0

  /** @param options.lanes requests in progress at the same time */
  constructor(
    world: World,
    machine: Machine<ClientWorker>,
    options: { lanes: number; random: SeededRandom },
  ) {
    this.#world = world
    this.#machine = machine
    this.#lanes = options.lanes
    this.#random = options.random
  }

  get name(): string {
    return this.#machine.name
  }

  /** Registers and asks until `untilMs`, and then until the last request has ended. */
  async use(untilMs: number): Promise<void> {
    const client = await this.#client()
    await this.#register(client, this.name)
    const isLate = () => this.#world.time.nowMs >= untilMs
    const asking = Array.from({ length: this.#lanes }, async () => {
      while (!isLate()) {
        await this.#pass(this.#random.below(400))
        const tokens = 1 + this.#random.below(MOST_TOKENS)
        await this.#ask(client, tokens, this.#drawReading())
      }
    })
    const registering = (async () => {
      for (let further = 1; further <= MOST_FURTHER_ACCOUNTS && !isLate(); further += 1) {
        await this.#pass(this.#random.below(4_000))
        await this.#register(client, `${this.name}.${further}`)
      }
    })()
    await Promise.all([...asking, registering])
  }

  /**
   * Logs in to every account that was registered, and asks as many requests as it may at the same time, again and
   * again until all are answered.
   *
   * @returns null, or what the last attempt failed with
   */
  async isServed(untilMs: number): Promise<string | null> {
    const client = await this.#client()
    for (;;) {
      const logins = await this.#all(this.#accounts, (email) => this.#logIn(client, email))
      const lanes = Array.from({ length: this.#lanes }, (_, lane) => lane)
      const reading = { cancelsAfter: null, cancelsInMs: null, pause: null, paceMs: 0 }
      const answers = await this.#all(lanes, () => this.#ask(client, SHORT_TOKENS, reading))
      const refusal = [...logins, ...answers].find((code) => code !== 'OK')
      if (refusal === undefined) return null
      if (this.#world.time.nowMs >= untilMs) return refusal
      await this.#pass(AGAIN_MS)
    }
  }

  async #all<T>(items: readonly T[], action: (item: T) => Promise<string>): Promise<string[]> {
    return await Promise.all(items.map(action))
  }

  /** Repeats until the account is there. */
  async #register(client: ClientWorker, name: string): Promise<void> {
    const email = `${name}@example.com`
    for (let isFirstTime = true; ; isFirstTime = false) {
      this.#world.observe({ kind: 'registering', email, isFirstTime })
      const code = await codeOf(() => client.accounts.register(credentialOf(email), forever()))
      this.#world.observe({ kind: 'registered', email, code })
      if (code === 'OK') break
      // An earlier attempt may have succeeded, and only its answer was lost.
      if (!isFirstTime && (await this.#logIn(client, email)) === 'OK') break
      await this.#pass(AGAIN_MS)
    }
    this.#accounts.push(email)
  }

  async #logIn(client: ClientWorker, email: string): Promise<string> {
    const sinceMs = this.#world.time.nowMs
    const code = await codeOf(() => client.accounts.login(credentialOf(email), forever()))
    this.#world.observe({ kind: 'logged-in', email, code, sinceMs })
    return code
  }

  /** @returns the code that it ended with */
  async #ask(client: ClientWorker, tokens: number, reading: Reading): Promise<string> {
    this.#requests += 1
    const request = `${this.name}/${this.#requests}`
    this.#world.observe({ kind: 'asked', request, tokens })
    const code = await codeOf(() => this.#read(client, request, tokens, reading))
    this.#world.observe({ kind: 'ended', request, code })
    return code
  }

  async #read(
    client: ClientWorker,
    request: string,
    tokens: number,
    { cancelsAfter, cancelsInMs, pause, paceMs }: Reading,
  ): Promise<void> {
    const cancelling = new AbortController()
    const cancel = () => cancelling.abort(new StarlingError('CANCELLED', 'The user has left'))
    if (cancelsInMs !== null) this.#world.clock.schedule(cancelsInMs, cancel)
    const messages = [{ role: 'user' as const, content: promptOf(request, tokens) }]
    const answer = client.ask({ messages }, cancelling.signal)
    for (let read = 0; ; read += 1) {
      if (read === cancelsAfter) cancel()
      const step = await answer.next()
      if (step.done) return
      const { index, text } = step.value
      this.#world.observe({ kind: 'token', request, index, text })
      if (pause?.after === read) {
        this.#world.observe({ kind: 'paused', request })
        await this.#pass(pause.forMs)
        this.#world.observe({ kind: 'resumed', request })
      } else if (paceMs > 0) await this.#pass(paceMs)
    }
  }

  #drawReading(): Reading {
    const random = this.#random
    const after = () => random.below(MOST_TOKENS)
    return {
      cancelsAfter: random.below(4) === 0 ? after() : null,
      pause: random.below(4) === 0 ? { after: after(), forMs: random.below(3_000) } : null,
      paceMs: random.below(3) === 0 ? random.below(30) : 0,
      cancelsInMs: random.below(4) === 0 ? random.below(random.below(2) === 0 ? 60 : 1_500) : null,
    }
  }

  /** Resolves when the client has started. */
  async #client(): Promise<ClientWorker> {
    while (this.#machine.worker === null) await this.#pass(10)
    return this.#machine.worker
  }

  #pass(delayMs: number): Promise<void> {
    return this.#world.clock.sleep(delayMs)
  }
}

function credentialOf(email: string) {
  return { email, password: PASSWORD }
}

function forever(): AbortSignal {
  return new AbortController().signal
}

/** OK, the code of the error, or its message if it is not one of ours. */
async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'OK'
  } catch (error) {
    if (isStarlingError(error)) return error.code
    return error instanceof Error ? `INTERNAL ${error.stack}` : `INTERNAL ${String(error)}`
  }
}
