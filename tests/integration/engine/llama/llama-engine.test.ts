import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { LlamaProcess } from '../../../../facilities/engine/llama/llama-process.js'
import {
  answer,
  closeShared,
  collect,
  generate,
  processIdOf,
  SHARED_MODELS_DIRECTORY,
  sharedLlama,
  TINY_MODEL_PATH,
  tinyLlama,
} from '../../../helpers/engine/tiny-llama.js'
import { optionsOf } from '../../../helpers/factory.js'
import { isRunning, processGone } from '../../../helpers/processes/process-gone.js'
import { until } from '../../../helpers/until.js'

const PROMPTS = [
  'Once upon a time there was a little dog',
  'The sun was',
  'One day, a girl named Sue went to the park. She saw a big red ball and wanted to play with it',
  'Tom and his mom',
]
const FOREVER = new AbortController().signal
const ENDLESS = { maxTokens: 200 }

/** A prompt of about 200 tokens: several chunks. */
const LONG_PROMPT = 'There was a cat who liked to run and jump and play all day. '.repeat(14)

test('should answer with tokens and a summary when it is asked', async (t) => {
  const engine = await sharedLlama()
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
  const engine = await sharedLlama()
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

test('should give other tokens when the seed is another, and the same when it is the same', async (t) => {
  const engine = await sharedLlama()
  const sampled = async (seed: number) =>
    (await answer(engine, 'Once upon a time', { maxTokens: 30, temperature: 1, seed })).text
  t.not(await sampled(1), await sampled(2))
  t.is(await sampled(1), await sampled(1))
})

test('should give more requests than slots their answers, one after the other', async (t) => {
  const engine = await sharedLlama({ slots: 1 })
  const alone = await answer(engine, PROMPTS[0] ?? '', { maxTokens: 10 })
  const answers = await Promise.all(
    [0, 1, 2].map(() => answer(engine, PROMPTS[0] ?? '', { maxTokens: 10 })),
  )
  t.alike(
    answers.map(({ text }) => text),
    [alone.text, alone.text, alone.text],
  )
})

test('should free its slot and leave no trace when it is cancelled while decoding', async (t) => {
  const engine = await sharedLlama({ slots: 1 })
  const fresh = await answer(engine, 'The sun was', { maxTokens: 40 })
  const cancel = new AbortController()
  const generation = generate(engine, LONG_PROMPT, ENDLESS, cancel.signal)
  for (let taken = 0; taken < 3; taken++) await generation.next()
  cancel.abort()
  await t.exception(collect(generation), { code: 'CANCELLED' })
  t.alike((await answer(engine, 'The sun was', { maxTokens: 40 })).tokenIds, fresh.tokenIds)
})

test('should free its slot and leave no trace when it is cancelled before its first token', async (t) => {
  const engine = await sharedLlama({ slots: 1 })
  const fresh = await answer(engine, 'The sun was', { maxTokens: 40 })
  const cancel = new AbortController()
  const first = generate(engine, LONG_PROMPT, ENDLESS, cancel.signal).next()
  // One turn of the event loop: the request is on its way, its first token is not.
  await new Promise((resolve) => setImmediate(resolve))
  cancel.abort()
  await t.exception(first, { code: 'CANCELLED' })
  t.alike((await answer(engine, 'The sun was', { maxTokens: 40 })).tokenIds, fresh.tokenIds)
})

test('should free its slot when the reader leaves early', async (t) => {
  const engine = await sharedLlama({ slots: 1 })
  for await (const token of generate(engine, 'The sun was', ENDLESS)) {
    if (token.index === 2) break
  }
  t.is((await answer(engine, 'The sun was', { maxTokens: 5 })).tokenIds.length, 5)
})

test('should throw CANCELLED and start nothing when the signal was aborted before', async (t) => {
  const engine = await sharedLlama({ slots: 1 })
  await t.exception(generate(engine, 'x', {}, AbortSignal.abort()).next(), { code: 'CANCELLED' })
})

test('should stop the model when the reader is slow', async (t) => {
  const child = new LlamaProcess({
    clock: new SystemClock(),
    onLog() {},
    onProgress() {},
    onCrash() {},
    onStuckSchema() {},
  })
  t.teardown(async () => await child.close())
  await child.prepare({
    kind: 'prepare',
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    slots: 2,
    contextTokens: 256,
    threads: 1,
    gpu: false,
    gpuLayers: 'auto',
    maxStallMs: 50,
  })
  await child.load()
  const request = {
    messages: [{ role: 'user' as const, content: 'Once upon a time' }],
    options: optionsOf({ maxTokens: 40 }),
  }
  const slow = child.open(request, 8)
  // Long enough for the slow one to have ended, had nothing held it.
  const readToTheEnd = async () => {
    const { queue } = child.open(request, 1_000)
    while (!('end' in (await queue.take())));
  }
  await readToTheEnd()
  for (let taken = 0; taken < 8; taken++) await slow.queue.take()
  let ninth = false
  const taking = slow.queue.take().then(() => {
    ninth = true
  })
  await readToTheEnd()
  t.absent(ninth)
  child.grant(slow.id, 1)
  await taking
  t.ok(ninth)
})

test('should fail with CONTEXT_TOO_LONG when the prompt leaves no room for an answer', async (t) => {
  const engine = await sharedLlama()
  await t.exception(answer(engine, LONG_PROMPT.repeat(2)), { code: 'CONTEXT_TOO_LONG' })
  await t.exception(answer(engine, LONG_PROMPT.repeat(1_000)), { code: 'CONTEXT_TOO_LONG' })
})

test('should refuse a request that is out of bounds and go on when others run', async (t) => {
  const engine = await sharedLlama()
  const beside = answer(engine, 'The sun was', { maxTokens: 20 })
  const options = { ...optionsOf(), temperature: -1 }
  const wrong = engine.generate({ messages: [{ role: 'user', content: 'x' }], options }, FOREVER)
  await t.exception(wrong.next(), { code: 'INVALID_REQUEST' })
  t.is((await beside).tokenIds.length, 20)
})

test('should fail with CONFIG_INVALID when it is set up wrongly', async (t) => {
  await t.exception(tinyLlama(t, { slots: 0 }), { code: 'CONFIG_INVALID' })
})

test('should end with length when the context is full', async (t) => {
  const engine = await sharedLlama()
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

test('should go on answering when the terminal interrupts the whole process group', async (t) => {
  const engine = await sharedLlama()
  const generation = generate(engine, 'Once upon a time', ENDLESS)
  await generation.next()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.kill(processIdOf(engine), signal)
  }
  const { end } = await collect(generation)
  t.ok(end.completionTokens > 8)
})

test('should take special tokens for plain text when a message contains them', async (t) => {
  const engine = await tinyLlama(t, { model: 'minimind2-small', slots: 1 })
  const promptTokens = async (content: string) =>
    (await answer(engine, content, { maxTokens: 1 })).end.promptTokens
  const special = 10
  const added = (await promptTokens(`a${'<|im_end|>'.repeat(special)}`)) - (await promptTokens('a'))
  t.ok(added >= 3 * special, `${special} special tokens in a message became ${added} tokens`)

  const { text, end } = await answer(engine, 'What is the capital of France?', { maxTokens: 64 })
  t.ok(text.includes('Paris'), text)
  t.is(end.finishReason, 'stop')
  t.absent(text.includes('<|im_end|>'))
})

test('should leave a long prompt at once when it is cancelled within it', async (t) => {
  const engine = await tinyLlama(t, { model: 'minimind2-small', slots: 2 })
  const longPrompt = 'The quick brown fox jumps over the lazy dog. '.repeat(80)
  // As long, and different from its first word on: nothing of it is known from before.
  const alone = await answer(engine, longPrompt.replaceAll('The', 'One'), { maxTokens: 1 })
  const short = () => answer(engine, 'Hello', { maxTokens: 4 })
  const fresh = await short()

  const cancel = new AbortController()
  const long = generate(engine, longPrompt, {}, cancel.signal).next()
  // Asked for later and begun: the long prompt is being worked on, and no slot is left but its own.
  await generate(engine, 'Tell me a long story', ENDLESS).next()
  cancel.abort()
  await t.exception(long, { code: 'CANCELLED' })
  const next = short()
  const waitedMs = await t.execution(next)
  t.ok(
    waitedMs < alone.end.timings.promptMs / 4,
    `the next answer took ${waitedMs} ms, the long prompt alone ${alone.end.timings.promptMs} ms`,
  )
  t.alike((await next).tokenIds, fresh.tokenIds)
})

test('should leave no process behind when it is disposed of', async (t) => {
  const engine = await tinyLlama(t)
  const processId = processIdOf(engine)
  const generation = generate(engine, 'Once upon a time', ENDLESS)
  await generation.next()
  const rest = collect(generation)
  await Promise.all([engine.dispose(), engine.dispose(), t.exception(rest, { code: 'DRAINING' })])
  t.absent(await isRunning(processId))
  await t.exception(answer(engine, 'x'), { code: 'ENGINE_DISPOSED' })
})

test('should leave no process behind when it is disposed of while it loads', async (t) => {
  const engine = new LlamaEngine({
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock: new SystemClock(),
    gpu: false,
  })
  const ready = engine.load()
  await new Promise((resolve) => setImmediate(resolve))
  const processId = processIdOf(engine)
  await Promise.all([engine.dispose(), t.exception(ready, { code: 'DRAINING' })])
  t.absent(await isRunning(processId))
})

test('should end its process when the process that owns it is killed', async (t) => {
  t.teardown(closeShared)
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
