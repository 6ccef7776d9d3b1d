import test, { type Test } from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import type { OutgoingConnection } from '../../../../facilities/network/connection/outgoing-connection.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import type { ClientWorker } from '../../../../workers/client/client-worker.js'
import { tinyLlama } from '../../../helpers/engine/tiny-llama.js'
import { createAccount } from '../../../helpers/factory.js'
import { requestOptions } from '../../../helpers/network/sample-service.js'
import { scaled } from '../../../helpers/scale.js'
import { until } from '../../../helpers/until.js'
import { LocalWorkers } from '../../../helpers/workers/local-workers.js'
import { busyOf } from '../../../helpers/workers/offered-models.js'

const ADA = createAccount()
const never = new AbortController().signal
const clock = new SystemClock()

const ROUNDS = scaled(70)

/** How far an answer proceeds before somebody leaves it: in so many steps, again and again. */
const STEPS = 7

const STORY = 'Tell me a long story'

let longPrompts = 0

/** About 3,900 tokens, which take seconds to read; another from its first word on each time. */
function longPrompt(): string {
  longPrompts += 1
  return `${longPrompts} ${'The quick brown fox jumps over the lazy dog. '.repeat(230)}`
}

/** A mesh with the default model in a single slot. */
async function scene(t: Test) {
  t.timeout(scaled(900_000))
  const engine = await tinyLlama(t, { model: 'minimind2-small', slots: 1, contextTokens: 4096 })
  const mesh = await LocalWorkers.create(t)
  const [client, processor] = await Promise.all([
    mesh.client(),
    mesh.processor(engine, { slots: 1, queueLength: 1 }),
    mesh.auth(),
    mesh.gateway(),
  ])
  await client.accounts.register(ADA, never)
  const { token } = await client.accounts.session(never)
  return { mesh, client, load: () => processor.worker.load(), credential: token }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** Asks on a connection of its own. */
async function ask({ mesh, credential }: Scene, content: string, signal: AbortSignal) {
  const connection = await mesh.connectionTo('gateway')
  const messages = [{ role: 'user' as const, content }]
  const options = requestOptions(clock, { signal })
  const answer = connection.open(gatewayProtocol.infer, { credential, messages }, options)
  return { connection, answer }
}

/** How somebody leaves in the middle of an answer. */
const LEAVING = {
  cancels: (cancel: AbortController) => cancel.abort(new Error('enough')),
  vanishes: (_: AbortController, connection: OutgoingConnection) => connection.destroy(),
}

/** Waits for a first token. @returns how long, in milliseconds */
async function firstToken(client: ClientWorker): Promise<number> {
  const startedAt = performance.now()
  const messages = [{ role: 'user' as const, content: 'Hi' }]
  const answer = client.ask({ messages, options: { maxTokens: 1 } }, never)
  while (!(await answer.next()).done);
  return performance.now() - startedAt
}

/**
 * How much longer, in milliseconds and in order, whoever waits for the slot waits for a first token
 * when somebody leaves it than when nobody had it: the time that the model takes to stop, on a machine
 * that is as busy with other things in one case as in the other.
 *
 * @param proceed how far the answer gets until then
 */
async function timesToTheNext(
  all: Scene,
  leave: (typeof LEAVING)[keyof typeof LEAVING],
  promptOf: () => string,
  proceed: (answer: AsyncGenerator<unknown>, round: number) => Promise<unknown>,
): Promise<number[]> {
  const elapsed: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const aloneMs = await firstToken(all.client)
    const cancel = new AbortController()
    const { connection, answer } = await ask(all, promptOf(), cancel.signal)
    await proceed(answer, round % STEPS)
    await until('the slot to be taken', () => busyOf(all.load()).running === 1)
    const next = firstToken(all.client)
    await until('the next to wait', () => busyOf(all.load()).queued === 1)
    const startedAt = performance.now()
    leave(cancel, connection)
    await next
    elapsed.push(performance.now() - startedAt - aloneMs)
    await answer.return(undefined as never)
    connection.destroy()
  }
  return elapsed.map(Math.round).sort((a, b) => a - b)
}

for (const [how, leave] of Object.entries(LEAVING)) {
  test(`should stop the model at once when the client ${how}`, async (t) => {
    const all = await scene(t)
    const answering = await timesToTheNext(all, leave, () => STORY, read)
    t.ok(median(answering) < 50, `within 50 ms while it answers: ${answering} ms`)

    const proceed = async (answer: AsyncGenerator<unknown>, round: number) => {
      answer.next().catch(() => undefined)
      // Round trips: time in which the prompt is read, further in each round.
      for (let trip = 0; trip < 20 * round; trip += 1) await all.client.accounts.login(ADA, never)
    }
    const reading = await timesToTheNext(all, leave, longPrompt, proceed)
    t.ok(median(reading) < 200, `within 200 ms while it reads a prompt: ${reading} ms`)
  })
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(ROUNDS / 2)] ?? Number.POSITIVE_INFINITY
}

/** Reads a few tokens, more in each round. */
async function read(answer: AsyncGenerator<unknown>, round: number): Promise<void> {
  for (let token = 0; token <= 5 * round; token += 1) await answer.next()
}
