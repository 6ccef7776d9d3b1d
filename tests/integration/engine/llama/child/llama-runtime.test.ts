import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import fc from 'fast-check'
import { Llama } from 'node-llama-cpp'
import sinon from 'sinon'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../../../helpers/protocol/generation-options.js'
import {
  type Answering,
  ask,
  begin,
  defaultModelPath,
  finish,
  loadRuntime,
  openRuntime,
} from '../../../../helpers/engine/loaded-runtime.js'
import { TINY_MODEL_PATH } from '../../../../helpers/engine/tiny-llama.js'
import { optionsOf } from '../../../../helpers/factory.js'
import { readDraft } from '../../../../helpers/gguf/gguf-draft.js'
import { fileOf, real, setKey } from '../../../../helpers/gguf/gguf-scene.js'
import { roundingChat } from '../../../../helpers/gguf/rounding-model.js'
import { ensure, holds } from '../../../../helpers/property.js'

const FOREVER = new AbortController().signal

/** Pairs of answers that must be the same to the last bit of every probability. */
async function exactly(runtime: Answering, question: string): Promise<string> {
  const { tokens } = await ask(runtime, question, { maxTokens: 12, logprobs: 2 })
  return JSON.stringify(tokens)
}

test('should say what it is', async (t) => {
  const tiny = await loadRuntime(t, { contextTokens: 100_000 })
  t.is(tiny.contextTokens, 256, 'no more than it was trained for')
  t.is(tiny.slots, 4)
  t.is(tiny.threads, 1)
  t.absent(tiny.capabilities.has('tools'), 'it has no chat template')
  t.ok(tiny.capabilities.has('chat') && tiny.capabilities.has('json-schema'))
  t.ok(tiny.fingerprintParts.build.includes('llama.cpp'))
  t.ok(tiny.fingerprintParts.backend.startsWith('cpu'))
})

test('should compute with fewer threads when it may have no more, and answer the same', async (t) => {
  // Two threads wait for each other, which takes long on a machine that has other things to do.
  t.timeout(90_000)
  const allowed = sinon.spy(Llama.prototype, 'maxThreads', ['set'])
  t.teardown(() => sinon.restore())
  const runtime = await loadRuntime(t, { threads: 2, slots: 1 })
  const answers: string[] = []
  for (const threads of [1, 2]) {
    runtime.limitThreads(threads)
    t.alike(allowed.set.lastCall.args, [threads])
    answers.push(await exactly(runtime, 'Once upon a time'))
  }
  t.is(answers[0], answers[1])
})

test('should give back the text of its tokens, whatever the text', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await defaultModelPath(), slots: 1 })
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.constantFrom('<|im_end|>', '<|im_start|>system\n', '👩‍👩‍👧‍👦', '\u0000', ' \n\t ', '\uFFFD'),
  )
  const property = fc.property(texts, (text) => {
    const tokens = runtime.tokenize(text)
    const back = runtime.detokenize(tokens)
    ensure(back === text, JSON.stringify(back))
  })
  await holds(t, property, 500)
  const bytes = fc.property(fc.array(fc.nat(6_399), { maxLength: 50 }), (tokens) => {
    const text = runtime.detokenize(tokens)
    ensure(Buffer.from(text).toString() === text, 'half a character')
  })
  await holds(t, bytes, 500)
})

test('should take special tokens for plain text when a message contains them', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await defaultModelPath(), slots: 1 })
  const promptTokens = async (content: string) =>
    (await ask(runtime, content, { maxTokens: 1 })).end.promptTokens
  const special = 10
  const added = (await promptTokens(`a${'<|im_end|>'.repeat(special)}`)) - (await promptTokens('a'))
  t.ok(added >= 3 * special, `${special} special tokens in a message became ${added} tokens`)

  const { text, end } = await ask(runtime, 'What is the capital of France?', { maxTokens: 64 })
  t.ok(text.includes('Paris'), text)
  t.is(end.finishReason, 'stop')
  t.absent(text.includes('<|im_end|>'))
})

test('should refuse input that its native code must never receive', async (t) => {
  const runtime = await loadRuntime(t)
  const wrong = { code: 'INVALID_REQUEST' }
  for (const token of [-1, 0.5, 1e300, 50_257, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
    await t.exception(async () => runtime.detokenize([token]), wrong)
  }
  await t.exception(async () => runtime.detokenize(Array<number>(3)), wrong)
  await t.exception(async () => runtime.detokenize(Array<number>(2 ** 21).fill(1)), wrong)
  await t.exception(async () => runtime.tokenize('x'.repeat(2 ** 20 + 1)), {
    code: 'PAYLOAD_TOO_LARGE',
  })
  for (const wrongly of [
    { temperature: Number.NaN },
    { temperature: null },
    { topK: 1e18 },
    { topP: 0 },
    { maxTokens: 2 ** 40 },
    { seed: -1 },
    { stop: 'x' },
    { logitBias: { '1': Number.NaN } },
    { logitBias: { '50257': 1 } },
  ]) {
    const options = Object.assign({ ...optionsOf() }, wrongly)
    const request = { messages: [{ role: 'user' as const, content: 'x' }], options }
    await t.exception(runtime.generate(request, FOREVER).next(), wrong)
  }
  await t.exception(ask(runtime, 'x'.repeat(200_000)), { code: 'CONTEXT_TOO_LONG' })
  await t.exception(runtime.embed(['x'], FOREVER), { code: 'NOT_SUPPORTED' })
  t.is((await ask(runtime, 'Once', { maxTokens: 3 })).ids.length, 3)
})

test('should start from its cached prefix, and answer as if it had evaluated the whole prompt', async (t) => {
  const modelPath = await defaultModelPath()
  const question = `${'The quick brown fox jumps over the lazy dog. '.repeat(8)}What is it about?`
  const fresh = await loadRuntime(t, { modelPath, slots: 2 })
  const expected = await exactly(fresh, question)
  const runtime = await loadRuntime(t, { modelPath, slots: 2 })
  const first = await ask(runtime, question, { maxTokens: 30 })
  t.is(first.end.cachedTokens, 0)
  const again = await ask(runtime, question, { maxTokens: 1 })
  t.is(again.end.cachedTokens, again.end.promptTokens - 1, 'all but the last token')
  t.is(await exactly(runtime, question), expected)

  const conversation = [
    { role: 'user' as const, content: question },
    { role: 'assistant' as const, content: first.text },
    { role: 'user' as const, content: 'Thank you.' },
  ]
  const next = await ask(runtime, conversation, { maxTokens: 20 })
  t.ok(next.end.cachedTokens >= first.end.promptTokens, 'the conversation goes on from there')
  t.alike(next.tokens, (await ask(fresh, conversation, { maxTokens: 20 })).tokens)
})

test('should give bit-identical results with any cached prefix when weights are f16', async (t) => {
  const runtime = await loadRuntime(t, { slots: 1 })
  const first = await exactly(runtime, 'Once upon a time')
  const { promptTokens, cachedTokens } = (await ask(runtime, 'Once upon a time')).end
  t.ok(cachedTokens === 0 || cachedTokens === promptTokens - 1, 'all of it or nothing')
  t.is(await exactly(runtime, 'Once upon a time'), first)
})

test('should evaluate every prompt from the start when chunks of another size change the logits', async (t) => {
  const chat = await roundingChat(t, { chunks: true })
  const first = await exactly(chat, 'Once upon a time')
  t.is((await ask(chat, 'Once upon a time', { maxTokens: 5 })).end.cachedTokens, 0)
  t.is(await exactly(chat, 'Once upon a time'), first)
  const long = 'There was a cat who liked to run and jump and play all day. '.repeat(4)
  const whole = await ask(chat, long, { maxTokens: 12, logprobs: 2 })
  for (const count of [1, 5]) {
    const resumeFrom = whole.ids.slice(0, count)
    const rest = await ask(chat, long, { maxTokens: 12, logprobs: 2 }, { resumeFrom })
    t.alike(rest.tokens, whole.tokens.slice(count), `resumed after ${count}`)
  }
})

test('should not change an answer when another one beside it or before it is cancelled', async (t) => {
  const modelPath = await defaultModelPath()
  const question = 'Tell me about the mountains and the sea.'
  const expected = await exactly(await loadRuntime(t, { modelPath, slots: 2 }), question)
  const runtime = await loadRuntime(t, { modelPath, slots: 2 })
  for (const taken of [0, 1, 5]) {
    const cancel = new AbortController()
    const beside = begin(runtime, `${question} `.repeat(20), {}, { signal: cancel.signal })
    const leaving = (async () => {
      for (let count = 0; count < taken; count++) await beside.next()
      cancel.abort(new Error('enough'))
      await finish(beside)
    })()
    const answers = await Promise.all([exactly(runtime, question), t.exception(leaving, /enough/)])
    t.is(answers[0], expected)
  }
  t.is(await exactly(runtime, question), expected)
})

test('should evaluate a long prompt in chunks between which running answers continue', async (t) => {
  const modelPath = await defaultModelPath()
  const runtime = await loadRuntime(t, { modelPath, slots: 2, contextTokens: 2_048, maxStallMs: 1 })
  const running = begin(runtime, 'Tell me a very long story.', {
    maxTokens: 400,
    repeatPenalty: 1.3,
  })
  await running.next()
  const { tokens } = runtime.applyTemplate([{ role: 'user', content: 'The fox runs. '.repeat(90) }])
  let isRead = false
  const reading = ask(runtime, 'The fox runs. '.repeat(90), { maxTokens: 1 }).then((answer) => {
    isRead = true
    return answer
  })
  let meanwhile = 0
  while (!isRead && !(await running.next()).done) meanwhile += 1
  // Pieces of 16, the smallest, and a token of the other answer with each.
  const pieces = Math.ceil(tokens.length / 16)
  t.ok(meanwhile >= pieces - 3, `${meanwhile} tokens beside ${pieces} pieces`)
  t.is((await reading).end.promptTokens, tokens.length)
  await running.return(undefined as never)
})

test('should end running, queued and new requests with DRAINING when it is closed', async (t) => {
  const runtime = await openRuntime({ slots: 2, contextTokens: 256 })
  const running = [1, 2].map(() => begin(runtime, 'Once upon a time', { maxTokens: 200 }))
  await Promise.all(running.map((one) => one.next()))
  const waiting = ask(runtime, 'Once', {})
  const closed = { code: 'DRAINING' }
  const [first, second] = running
  const rest = first === undefined ? waiting : finish(first)
  await Promise.all([
    runtime.close(),
    runtime.close(),
    t.exception(rest, closed),
    t.exception(waiting, closed),
  ])
  // Nobody read it while the model was freed.
  await t.exception(async () => await second?.next().then(async () => await second.next()), closed)
  await t.exception(ask(runtime, 'x'), closed)
  await t.exception(async () => runtime.tokenize('x'), closed)
  await t.exception(async () => runtime.detokenize([1]), closed)
  await t.exception(async () => runtime.applyTemplate([{ role: 'user', content: 'x' }]), closed)
  await t.exception(runtime.embed(['x'], FOREVER), closed)
  await runtime.close()
})

test('should sample as its file recommends when neither the request nor the catalogue sets options', async (t) => {
  const draft = readDraft(await readFile(TINY_MODEL_PATH))
  setKey(draft, 'general.sampling.temp', real(0))
  setKey(draft, 'general.sampling.penalty_repeat', real(1.1))
  const modelPath = join(await t.tmp(), 'greedy.gguf')
  await writeFile(modelPath, fileOf(draft))
  const runtime = await loadRuntime(t, { modelPath })
  const answerOf = async (given: GenerationOptionsInput, by = runtime) => {
    const options = generationOptionsSchema.parse({ maxTokens: 20, ...given })
    const messages = [{ role: 'user' as const, content: 'Once upon a time' }]
    return (await finish(by.generate({ messages, options }, FOREVER))).ids
  }
  const greedy = await answerOf({ temperature: 0, repeatPenalty: 1.1 })
  t.alike(await answerOf({}), greedy)
  t.unlike(await answerOf({ temperature: 2, topK: 0, topP: 1, minP: 0, seed: 1 }), greedy)
  const sampling = { temperature: 2, topK: 0, topP: 1, minP: 0 }
  const other = await loadRuntime(t, { modelPath, sampling })
  t.unlike(await answerOf({ seed: 1 }, other), greedy, 'what is known better is preferred')
  t.unlike(other.fingerprintParts, runtime.fingerprintParts, 'answers depend on it')
})
