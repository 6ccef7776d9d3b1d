import test from 'brittle'
import {
  LlamaRequests,
  type RequestRuntime,
} from '../../../../../../facilities/engine/llama/child/llama-requests.js'
import type {
  FromChild,
  GenerateMessage,
} from '../../../../../../facilities/engine/llama/llama-messages.js'
import type { RecordedStep } from '../../../../../../facilities/engine/llama/step-record.js'
import { ScriptedEngine } from '../../../../../../facilities/engine/scripted/scripted-engine.js'
import { generationOptionsSchema } from '../../../../../../helpers/protocol/generation-options.js'
import { VirtualClock } from '../../../../../helpers/clock/virtual-clock.js'

/** The tokens of all requests, in the order in which they were sent. */
function tokensIn(sent: readonly FromChild[]) {
  return sent.flatMap((message) => (message.kind === 'tokens' ? message.tokens : []))
}

/** Keeps what is sent. */
const into = (sent: FromChild[]) => (message: FromChild) => void sent.push(message)

/** Records nothing, and sends tokens at once. */
const options = () => ({
  clock: new VirtualClock(),
  steps: { write: () => undefined },
  gatherMs: 0,
})

/** A runtime that generates with an engine and can do nothing else. */
function runtimeOf(engine: ScriptedEngine): RequestRuntime {
  const cannot = () => {
    throw new Error('cannot')
  }
  return {
    generate: (request, signal) => engine.generate(request, signal),
    tokenize: cannot,
    detokenize: cannot,
    applyTemplate: cannot,
    embed: cannot,
    progress: { done: 0, tokens: 0 },
  }
}

const HUNDRED = Array.from({ length: 100 }, (_, index) => `${index} `)

function generate(id: number, credit: number): GenerateMessage {
  return {
    kind: 'generate',
    id,
    messages: [{ role: 'user', content: 'count' }],
    options: generationOptionsSchema.parse({}),
    credit,
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('should send no more tokens than its credit when the reader takes none', async (t) => {
  const engine = new ScriptedEngine({ script: () => HUNDRED })
  const sent: FromChild[] = []
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), options())
  requests.start(generate(1, 8))
  await settled()
  t.is(engine.tokensProduced, 8)
  requests.grant(1, 4)
  await settled()
  t.is(engine.tokensProduced, 12)
  t.is(tokensIn(sent).length, 12)
  await requests.cancelAll()
})

test('should send the tokens in order and then the end when the credit suffices', async (t) => {
  const sent: FromChild[] = []
  const engine = new ScriptedEngine({ script: () => ['a', 'b'] })
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), options())
  requests.start(generate(7, 8))
  await settled()
  t.alike(
    tokensIn(sent).map(({ token }) => token.text),
    ['a', 'b'],
  )
})

test('should stop and send nothing more when it is cancelled while it waits for credit', async (t) => {
  const sent: FromChild[] = []
  const engine = new ScriptedEngine({ script: () => HUNDRED })
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), options())
  requests.start(generate(1, 2))
  await settled()
  requests.cancel(1)
  await settled()
  t.is(engine.activeGenerations, 0)
  t.is(sent.length, 2)
})

test('should keep requests apart when several run', async (t) => {
  const sent: FromChild[] = []
  const engine = new ScriptedEngine({ script: () => HUNDRED })
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), options())
  requests.start(generate(1, 3))
  requests.start(generate(2, 5))
  requests.cancel(9)
  requests.grant(9, 1)
  await settled()
  const of = (id: number) => tokensIn(sent).filter((token) => token.id === id).length
  t.alike([of(1), of(2)], [3, 5])
  await requests.cancelAll()
  t.is(engine.activeGenerations, 0)
})

test('should send the failure with its code when the engine fails', async (t) => {
  const sent: FromChild[] = []
  const typed = new LlamaRequests(
    runtimeOf(new ScriptedEngine({ contextTokens: 1 })),
    into(sent),
    options(),
  )
  typed.start(generate(1, 8))
  await settled()
  const plain = new LlamaRequests(
    runtimeOf(
      new ScriptedEngine({ beforeToken: () => Promise.reject(new Error('Eval has failed')) }),
    ),
    into(sent),
    options(),
  )
  plain.start(generate(2, 8))
  await settled()
  t.alike(
    sent.map((message) => (message.kind === 'failed' ? [message.id, message.error.code] : message)),
    [
      [1, 'CONTEXT_TOO_LONG'],
      [2, 'ENGINE_CRASHED'],
    ],
  )
})

test('should record what it blocks for, and say for whom a grammar chooses', async (t) => {
  const sent: FromChild[] = []
  const recorded: (RecordedStep | null)[] = []
  const engine = new ScriptedEngine({ script: () => ['a', 'b'] })
  const chosen: (() => void)[] = []
  const requests = new LlamaRequests(
    {
      ...runtimeOf(engine),
      progress: { done: 5, tokens: 2 },
      async *generate(request, signal, watch) {
        // What is still waited for blocks nobody.
        await watch?.during('grammar', async () => {
          t.is(recorded.length, 1)
          await settled()
        })
        for (let token = 0; token < 2; token++) {
          watch?.choosing()
          await new Promise<void>((resolve) => chosen.push(resolve))
          watch?.chosen()
        }
        return yield* engine.generate(request, signal)
      },
    },
    into(sent),
    { ...options(), steps: { write: (step) => void recorded.push(step) } },
  )
  requests.start(generate(3, 8))
  await settled()
  t.alike(recorded, [{ request: 3, step: 'grammar' }, null])
  await settled()
  t.alike(requests.work, { done: 5, tokens: 2, choosing: [{ request: 3, index: 0 }] })
  chosen.shift()?.()
  await settled()
  t.alike(requests.work.choosing, [{ request: 3, index: 1 }])
  chosen.shift()?.()
  await settled()
  t.alike(requests.work.choosing, [])
  await requests.cancelAll()
})

/** How many tokens each message has, or its kind. */
const shapes = (sent: readonly FromChild[]) =>
  sent.map((message) => (message.kind === 'tokens' ? message.tokens.length : message.kind))

/** Requests whose tokens become ready one by one: each when the test says so. */
function steppedScene(script: readonly string[], gatherMs = 8) {
  const sent: FromChild[] = []
  const clock = new VirtualClock()
  const waiting: (() => void)[] = []
  const engine = new ScriptedEngine({
    script: () => [...script],
    beforeToken: () => new Promise<void>((resolve) => waiting.push(resolve)),
  })
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), {
    ...options(),
    clock,
    gatherMs,
  })
  const next = async () => {
    waiting.shift()?.()
    await settled()
  }
  return { sent, clock, requests, next }
}

test('should send the first token of an answer at once and gather those after it', async (t) => {
  const { sent, clock, requests, next } = steppedScene(HUNDRED)
  requests.start(generate(1, 32))
  await settled()
  await next()
  t.alike(shapes(sent), [1])
  await next()
  await next()
  await clock.advance(7)
  t.alike(shapes(sent), [1])
  await clock.advance(1)
  t.alike(shapes(sent), [1, 2])
  await requests.cancelAll()
  t.is(clock.pending, 0)
})

test('should send gathered tokens before the end of their answer', async (t) => {
  const { sent, clock, requests, next } = steppedScene(['a', 'b', 'c'])
  requests.start(generate(1, 32))
  await settled()
  for (let token = 0; token < 3; token += 1) await next()
  t.alike(shapes(sent), [1, 2, 'end'])
  t.is(clock.pending, 0)
})

test('should send gathered tokens when their reader cannot grant more before it has read them', async (t) => {
  const { sent, clock, requests, next } = steppedScene(HUNDRED)
  requests.start(generate(1, 3))
  await settled()
  for (let token = 0; token < 3; token += 1) await next()
  t.alike(shapes(sent), [1, 2])
  await requests.cancelAll()
  t.is(clock.pending, 0)
})

test('should send gathered tokens before it says that an answer has failed or was cancelled', async (t) => {
  const { sent, clock, requests, next } = steppedScene(HUNDRED)
  requests.start(generate(1, 32))
  await settled()
  await next()
  await next()
  requests.cancel(1)
  await next()
  t.alike(shapes(sent), [1, 1, 'cancelled'])

  const failed: FromChild[] = []
  let tokens = 0
  const engine = new ScriptedEngine({
    script: () => HUNDRED,
    beforeToken: async () => {
      tokens += 1
      if (tokens > 2) throw new Error('Eval has failed')
    },
  })
  const failing = new LlamaRequests(runtimeOf(engine), into(failed), {
    ...options(),
    clock,
    gatherMs: 8,
  })
  failing.start(generate(2, 32))
  await settled()
  t.alike(shapes(failed).at(-1), 'failed')
  t.is(tokensIn(failed).length, 2)
  t.is(clock.pending, 0)
})
