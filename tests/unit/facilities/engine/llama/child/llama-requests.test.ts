import test from 'brittle'
import {
  type AddressedToken,
  LlamaRequests,
  type RequestRuntime,
  TokenBatcher,
} from '../../../../../../facilities/engine/llama/child/llama-requests.js'
import type {
  FromChild,
  GenerateMessage,
} from '../../../../../../facilities/engine/llama/llama-messages.js'
import type { RecordedStep } from '../../../../../../facilities/engine/llama/step-record.js'
import { ScriptedEngine } from '../../../../../../facilities/engine/scripted/scripted-engine.js'
import { generationOptionsSchema } from '../../../../../../helpers/protocol/generation-options.js'

/** The tokens of all requests, in the order in which they were sent. */
function tokensIn(sent: readonly FromChild[]) {
  return sent.flatMap((message) => (message.kind === 'tokens' ? message.tokens : []))
}

/** Keeps what is sent. */
const into = (sent: FromChild[]) => (message: FromChild) => void sent.push(message)

const UNRECORDED = { write: () => undefined }

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
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), UNRECORDED)
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
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), UNRECORDED)
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
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), UNRECORDED)
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
  const requests = new LlamaRequests(runtimeOf(engine), into(sent), UNRECORDED)
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
    UNRECORDED,
  )
  typed.start(generate(1, 8))
  await settled()
  const plain = new LlamaRequests(
    runtimeOf(
      new ScriptedEngine({ beforeToken: () => Promise.reject(new Error('Eval has failed')) }),
    ),
    into(sent),
    UNRECORDED,
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
    { write: (step) => void recorded.push(step) },
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

const token = (index: number) => ({ text: 'x', tokenId: 1, index })

test('should send what became ready together in one message', async (t) => {
  const sent: AddressedToken[][] = []
  const batcher = new TokenBatcher((tokens) => sent.push(tokens))
  batcher.put(1, token(0))
  await Promise.resolve().then(() => batcher.put(2, token(0)))
  batcher.put(1, token(1))
  t.is(sent.length, 0)
  await new Promise((resolve) => setImmediate(resolve))
  t.alike(
    sent.map((tokens) => tokens.map(({ id, token: { index } }) => [id, index])),
    [
      [
        [1, 0],
        [2, 0],
        [1, 1],
      ],
    ],
  )
})

test('should send at once and only once when it is flushed', async (t) => {
  const sent: AddressedToken[][] = []
  const batcher = new TokenBatcher((tokens) => sent.push(tokens))
  batcher.put(1, token(0))
  batcher.flush()
  batcher.flush()
  t.is(sent.length, 1)
  await new Promise((resolve) => setImmediate(resolve))
  t.is(sent.length, 1)
  batcher.put(1, token(1))
  await new Promise((resolve) => setImmediate(resolve))
  t.is(sent.length, 2)
})
