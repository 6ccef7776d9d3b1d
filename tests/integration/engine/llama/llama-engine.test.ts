import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'brittle'
import {
  answer,
  collect,
  generate,
  processIdOf,
  standInLlama,
  tinyLlama,
} from '../../../helpers/engine/tiny-llama.js'
import { isRunning, processGone } from '../../../helpers/processes/process-gone.js'
import { Shared } from '../../../helpers/shared.js'
import { until } from '../../../helpers/until.js'

const PROMPTS = [
  'Once upon a time there was a little dog',
  'The sun was',
  'One day, a girl named Sue went to the park. She saw a big red ball and wanted to play with it',
  'Tom and his mom',
]
const ENDLESS = { maxTokens: 200 }

/** For tests that leave it as they found it. The last one disposes of it. */
const shared = new Shared((scope) => tinyLlama(scope))

/** A prompt of about 200 tokens: several chunks. */
const LONG_PROMPT = 'There was a cat who liked to run and jump and play all day. '.repeat(14)

test('should answer with tokens and a summary when it is asked', async (t) => {
  const engine = await shared.get()
  const { text, tokenIds, end } = await answer(engine, 'Once upon a time', { maxTokens: 20 })
  t.ok(text.startsWith(', there was a little girl named Lily.'), text)
  t.is(tokenIds.length, 20)
  t.is(end.finishReason, 'length')
  t.is(end.completionTokens, 20)
  t.is(end.promptTokens, 5)
  t.ok(end.timings.promptMs > 0 && end.timings.generationMs > 0)
  const { fingerprint, memoryBytes, capabilities, ...info } = engine.info()
  t.alike(info, {
    kind: 'llama.cpp',
    model: 'tiny-stories-1M-f16',
    modelSha256: '2269972650f322b57e4f0086f1d4e4871f81ab9e4afde2b64245b697fb0c5ef5',
    reproducibility: 'exact',
    contextTokens: 256,
    slots: 4,
  })
  t.ok(/^[0-9a-f]{64}$/.test(fingerprint ?? ''), 'the fingerprint is a hash')
  t.ok(memoryBytes > 2_000_000, 'it takes more memory than the file')
  t.ok(capabilities.has('resume') && !capabilities.has('embed'))
})

test('should give the same tokens alone and beside others', async (t) => {
  const engine = await shared.get()
  for (const options of [
    { maxTokens: 40 },
    { maxTokens: 40, temperature: 0.9, seed: 7 },
    { maxTokens: 40, temperature: 1.3, topK: 50, topP: 0.9, seed: 4_294_967_295 },
  ]) {
    const alone: (readonly number[])[] = []
    for (const prompt of PROMPTS) alone.push((await answer(engine, prompt, options)).tokenIds)
    const beside = await Promise.all(PROMPTS.map((prompt) => answer(engine, prompt, options)))
    t.alike(
      beside.map(({ tokenIds }) => tokenIds),
      alone,
    )
  }
})

test('should free its slots and keep no state when answers are cancelled before their first tokens', async (t) => {
  const engine = await shared.get()
  const fresh = await answer(engine, 'The sun was', { maxTokens: 40 })
  const cancel = new AbortController()
  const first = PROMPTS.map(() => generate(engine, LONG_PROMPT, ENDLESS, cancel.signal).next())
  // One turn of the event loop: the requests are on their way, their first tokens are not.
  await new Promise((resolve) => setImmediate(resolve))
  cancel.abort()
  await Promise.all(first.map((step) => t.exception(step, { code: 'CANCELLED' })))
  const again = PROMPTS.map(() => answer(engine, 'The sun was', { maxTokens: 40 }))
  for (const { tokenIds } of await Promise.all(again)) t.alike(tokenIds, fresh.tokenIds)
})

test('should end with length when the context is full', async (t) => {
  const engine = await shared.get()
  const { end } = await answer(engine, LONG_PROMPT, { maxTokens: 4_096 })
  t.is(end.finishReason, 'length')
  t.is(end.promptTokens + end.completionTokens, 256)
})

test('should fail with ENGINE_CRASHED and answer the next request when its process is killed', async (t) => {
  const crashes: string[] = []
  const engine = await tinyLlama(t, { onCrash: (error) => crashes.push(error.code) })
  const before = await answer(engine, 'The sun was', { maxTokens: 10 })
  t.alike(engine.status(), { state: 'running', restarts: 0 })
  const killed = processIdOf(engine)
  const running = PROMPTS.map((prompt) => generate(engine, prompt, ENDLESS))
  await Promise.all(running.map((generation) => generation.next()))
  process.kill(killed, 'SIGKILL')
  const outcomes = await Promise.allSettled(running.map((generation) => collect(generation)))
  t.alike(
    outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code),
    PROMPTS.map(() => 'ENGINE_CRASHED'),
  )
  t.ok(
    outcomes.every((outcome) => outcome.status === 'rejected' && !outcome.reason.retryable),
    'one of them may be what ended it',
  )

  t.alike(engine.status(), { state: 'stopped', restarts: 0 })

  // Both wait for the one restart.
  const again = [1, 2].map(() => answer(engine, 'The sun was', { maxTokens: 10 }))
  await until('it to start again', () => engine.status().state === 'starting')
  const [after, beside] = await Promise.all(again)
  t.alike(engine.status(), { state: 'running', restarts: 1 })
  t.is(after?.text, before.text)
  t.is(beside?.text, before.text)
  t.not(processIdOf(engine), killed)
  t.alike(crashes, ['ENGINE_CRASHED'])
})

test('should continue to answer when the terminal interrupts the whole process group', async (t) => {
  const engine = await shared.get()
  const generation = generate(engine, 'Once upon a time', ENDLESS)
  await generation.next()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.kill(processIdOf(engine), signal)
  }
  const { end } = await collect(generation)
  t.ok(end.completionTokens > 8)
})

test('should leave no process behind when it is disposed of, also while it loads', async (t) => {
  const [engine, loading] = [standInLlama(t), standInLlama(t)]
  const generation = generate(engine, 'endless', { maxTokens: 4_096 })
  await generation.next()
  const ready = loading.load()
  await new Promise((resolve) => setImmediate(resolve))
  const processIds = [engine, loading].map(processIdOf)
  await Promise.all([
    ...[engine.dispose(), engine.dispose(), loading.dispose()],
    ...[collect(generation), ready].map((ended) => t.exception(ended, { code: 'DRAINING' })),
  ])
  for (const processId of processIds) t.absent(await isRunning(processId))
  await t.exception(answer(engine, 'x'), { code: 'ENGINE_DISPOSED' })
})

test('should end its process when the process that owns it is killed', async (t) => {
  t.teardown(async () => await shared.end())
  const owner = fork(
    fileURLToPath(new URL('../../../helpers/engine/engine-owner.js', import.meta.url)),
  )
  t.teardown(() => owner.kill('SIGKILL'))
  const [processId] = await once(owner, 'message')
  t.ok(await isRunning(processId))
  owner.kill('SIGKILL')
  await processGone(processId)
  t.pass('the engine left by itself')
})
