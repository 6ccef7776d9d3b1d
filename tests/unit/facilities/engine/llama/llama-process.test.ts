import test, { type Test } from 'brittle'
import { PING_INTERVAL_MS } from '../../../../../facilities/engine/llama/child-heartbeat.js'
import type {
  FromChild,
  PrepareMessage,
} from '../../../../../facilities/engine/llama/llama-messages.js'
import { LlamaProcess } from '../../../../../facilities/engine/llama/llama-process.js'
import { StepRecorder } from '../../../../../facilities/engine/llama/step-record.js'
import type { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { optionsOf } from '../../../../helpers/factory.js'
import { ChildStandIn } from '../../../../helpers/processes/child-stand-in.js'
import { settle } from '../../../../helpers/until.js'

const SETTINGS: PrepareMessage = {
  kind: 'prepare',
  ...{ model: 'any', modelsDirectory: '/models', slots: 2, contextTokens: 100, threads: 1 },
  ...{ gpu: false, gpuLayers: 'auto', maxStallMs: 50, gatherMs: 8 },
}

const LOADED: FromChild = {
  kind: 'loaded',
  ...{ name: 'any', sha256: '', fingerprint: '', reproducibility: 'none', capabilities: ['chat'] },
  ...{ contextTokens: 100, slots: 2, memoryBytes: 1, tokenMs: 1 },
}

const QUESTION = { messages: [{ role: 'user' as const, content: 'x' }], options: optionsOf() }

/** More pings than a child may leave unanswered. */
const TOO_MANY_PINGS = 11

/** A process whose child does only what the test says. */
function scene(t: Test) {
  const child = new ChildStandIn()
  const clock = new VirtualClock()
  const [lines, crashes, stuckSchemas]: [string[], StarlingError[], unknown[]] = [[], [], []]
  const llama = new LlamaProcess({
    ...{ fork: child.fork, clock },
    onLog: (line) => lines.push(line),
    onProgress: () => undefined,
    onStuckSchema: (schema) => stuckSchemas.push(schema),
    onCrash: (error) => crashes.push(error),
  })
  t.teardown(() => {
    if (child.connected) child.exit(0)
  })
  const say = (message: FromChild) => child.say(message)
  const prepare = async () => {
    const prepared = llama.prepare(SETTINGS)
    say({ kind: 'prepared', memoryBytes: 7 })
    return await prepared
  }
  const load = async () => {
    await prepare()
    const loaded = llama.load()
    say(LOADED)
    await loaded
  }
  const silence = async () => {
    for (let beat = 0; beat < TOO_MANY_PINGS; beat += 1) await clock.advance(PING_INTERVAL_MS)
  }
  const token = (id: number, index = 0) =>
    say({ kind: 'tokens', tokens: [{ id, token: { text: `${index}`, tokenId: 1, index } }] })
  /** What the child does that blocks it. */
  const recorder = () => new StepRecorder(Object(child.forked?.options.stdio)[4])
  const codes = () => crashes.map(({ code }) => code)
  return {
    child,
    clock,
    llama,
    lines,
    codes,
    stuckSchemas,
    say,
    prepare,
    load,
    silence,
    token,
    recorder,
  }
}

test('should prepare a model, load it and answer', async (t) => {
  const { child, llama, say, prepare, token } = scene(t)
  t.is(await prepare(), 7)
  const loading = llama.load()
  say(LOADED)
  t.is((await loading).contextTokens, 100)
  const { id, queue } = llama.open(QUESTION, 4)
  token(id)
  t.alike(await queue.take(), { text: '0', tokenId: 1, index: 0 })
  llama.grant(id, 2)
  t.alike(
    child.received.map((message) => Object(message).kind),
    ['prepare', 'load', 'generate', 'credit'],
  )
})

test('should start the child apart from the terminal and without secrets', (t) => {
  process.env.STARLING_TEST_SECRET = 'secret'
  t.teardown(() => delete process.env.STARLING_TEST_SECRET)
  const { child } = scene(t)
  const { detached, execArgv, env } = child.forked?.options ?? {}
  t.alike([detached, execArgv], [true, []])
  t.absent('STARLING_TEST_SECRET' in Object(env))
  t.is(Object(env).GGML_NO_BACKTRACE, '1')
})

test('should fail with MODEL_INVALID when loading a model ends the child by a fatal signal', async (t) => {
  for (const signal of ['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGFPE'] as const) {
    const { child, llama, prepare, codes } = scene(t)
    await prepare()
    const loading = llama.load()
    child.exit(signal)
    const message = `Loading the model ended the engine's process (${signal})`
    await t.exception(loading, { code: 'MODEL_INVALID', message })
    t.alike(codes(), ['MODEL_INVALID'])
  }
})

test('should fail with ENGINE_CRASHED when the child exits in another way before the model is loaded', async (t) => {
  const { child, llama } = scene(t)
  const preparing = llama.prepare(SETTINGS)
  child.exit(1)
  const message = "The engine's process ended unexpectedly (exit code 1)"
  await t.exception(preparing, { code: 'ENGINE_CRASHED', message })
  await t.exception(llama.load(), { code: 'ENGINE_CRASHED' })
})

test('should fail with what the child fails to load with', async (t) => {
  const { llama, say, codes } = scene(t)
  const preparing = llama.prepare(SETTINGS)
  say({ kind: 'load-failed', error: { code: 'MODEL_NOT_FOUND', message: 'no such model' } })
  await t.exception(preparing, { code: 'MODEL_NOT_FOUND', message: 'no such model' })
  t.alike(codes(), [])
})

test('should fail with ENGINE_CRASHED when the child cannot be started', async (t) => {
  const { child, llama, codes } = scene(t)
  child.pid = undefined
  child.connected = false
  child.emit('error', new Error('spawn EAGAIN'))
  await t.exception(llama.prepare(SETTINGS), { code: 'ENGINE_CRASHED', message: /spawn EAGAIN/ })
  t.alike(codes(), ['ENGINE_CRASHED'])
})

test('should refuse settings that are out of bounds and send nothing', async (t) => {
  const { child, llama } = scene(t)
  await t.exception(llama.prepare({ ...SETTINGS, slots: 0 }), { code: 'CONFIG_INVALID' })
  t.alike(child.received, [])
})

test('should end all requests with ENGINE_CRASHED when the child ends while it answers', async (t) => {
  const { child, llama, load, token, codes } = scene(t)
  await load()
  const { id, queue } = llama.open(QUESTION, 4)
  token(id)
  await queue.take()
  const next = queue.take()
  const call = llama.call({ method: 'tokenize', text: 'x' })
  child.exit('SIGKILL')
  for (const waiting of [next, call]) await t.exception(waiting, { code: 'ENGINE_CRASHED' })
  t.alike(codes(), ['ENGINE_CRASHED'])
})

test('should blame the request during whose step the child ends, and no other', async (t) => {
  const { child, llama, load, recorder, stuckSchemas } = scene(t)
  await load()
  const jsonSchema = { type: 'array' }
  const other = llama.open(QUESTION, 4)
  const blamed = llama.open({ ...QUESTION, options: optionsOf({ jsonSchema }) }, 4)
  recorder().write({ request: blamed.id, step: 'grammar' })
  child.exit('SIGABRT')
  await t.exception(blamed.queue.take(), { code: 'GRAMMAR_INVALID', message: /SIGABRT/ })
  await t.exception(other.queue.take(), { code: 'ENGINE_CRASHED' })
  t.alike(stuckSchemas, [jsonSchema])
})

test('should kill a child that answers no ping, and fail what it did', async (t) => {
  const { child, clock, llama, load, lines, silence } = scene(t)
  await load()
  const { queue } = llama.open(QUESTION, 4)
  await silence()
  t.alike(child.signals, ['SIGKILL'])
  t.alike(lines, ["the engine's process hangs: it did not answer 10 times in a row"])
  child.exit('SIGKILL')
  await t.exception(queue.take(), { code: 'ENGINE_CRASHED', message: /did not answer 10 times/ })
  t.is(clock.pending, 0)
})

test('should fail with MODEL_INVALID when the child hangs while it loads, but not while it prepares', async (t) => {
  for (const [step, code] of [
    ['prepare', 'ENGINE_CRASHED'],
    ['load', 'MODEL_INVALID'],
  ] as const) {
    const { child, llama, prepare, silence } = scene(t)
    if (step === 'load') await prepare()
    const waiting = step === 'load' ? llama.load() : llama.prepare(SETTINGS)
    const failed = t.exception(waiting, { code })
    await silence()
    child.exit('SIGKILL')
    await failed
  }
})

test('should leave a child alone that answers its pings', async (t) => {
  const { child, clock, load, say } = scene(t)
  await load()
  for (let beat = 0; beat < 3 * TOO_MANY_PINGS; beat += 1) {
    await clock.advance(PING_INTERVAL_MS)
    say({ kind: 'pong', work: { done: beat, tokens: 1, choosing: [] } })
  }
  t.alike(child.signals, [])
})

test('should blame the request whose token is never chosen, also when no caller waits for it', async (t) => {
  for (const isCancelled of [false, true]) {
    const { child, clock, llama, load, say, stuckSchemas } = scene(t)
    await load()
    const options = optionsOf({ jsonSchema: { type: 'array' } })
    const { id, queue } = llama.open({ ...QUESTION, options }, 4)
    if (isCancelled) llama.cancel(id)
    for (let beat = 0; child.signals.length === 0 && beat < TOO_MANY_PINGS; beat += 1) {
      await clock.advance(PING_INTERVAL_MS)
      say({ kind: 'pong', work: { done: 0, tokens: 1, choosing: [{ request: id, index: 0 }] } })
    }
    t.alike(child.signals, ['SIGKILL'])
    child.exit('SIGKILL')
    const blamed = { code: 'GRAMMAR_INVALID', message: /longer than 10 s/ }
    if (!isCancelled) await t.exception(queue.take(), blamed)
    t.alike(stuckSchemas, [{ type: 'array' }])
  }
})

test('should kill a child that does not stop what was cancelled', async (t) => {
  const { child, clock, llama, load, say } = scene(t)
  await load()
  const [one, other] = [llama.open(QUESTION, 4), llama.open(QUESTION, 4)]
  llama.cancel(one.id)
  llama.cancel(other.id)
  say({ kind: 'cancelled', id: one.id })
  for (let beat = 0; child.signals.length === 0 && beat < 100; beat += 1) {
    await clock.advance(PING_INTERVAL_MS)
    say({ kind: 'pong', work: { done: beat, tokens: 1, choosing: [] } })
  }
  t.alike(child.signals, ['SIGKILL'])
})

test('should kill a child whose message is not one of the protocol', async (t) => {
  const { child, load, lines } = scene(t)
  await load()
  child.say({ kind: 'tokens', tokens: 'many' })
  t.alike(child.signals, ['SIGKILL'])
  t.ok(lines[0]?.includes('invalid message'))
})

test('should ask the child to end, and kill it when it does not', async (t) => {
  const { child, clock, llama, load, codes } = scene(t)
  await load()
  const { queue } = llama.open(QUESTION, 4)
  let isClosed = false
  const closing = Promise.all([llama.close(), llama.close()]).then(() => {
    isClosed = true
  })
  await t.exception(queue.take(), { code: 'DRAINING' })
  t.alike(child.received.at(-1), { kind: 'close' })
  await clock.advance(1_999)
  t.alike(child.signals, [])
  await clock.advance(1)
  t.ok(child.signals.every((signal) => signal === 'SIGKILL') && child.signals.length > 0)
  t.absent(isClosed, 'it waits for the end of the child')
  child.exit('SIGKILL')
  await closing
  t.alike(codes(), [], 'which is no crash')
  t.is(clock.pending, 0)
})

test('should not kill a child that ends when it is asked', async (t) => {
  const { child, clock, llama, load } = scene(t)
  await load()
  const closing = llama.close()
  child.exit(0)
  await closing
  await clock.advance(10_000)
  t.alike(child.signals, [])
})

test('should ignore messages for requests that have ended', async (t) => {
  const { child, llama, load, say, token } = scene(t)
  await load()
  const { id, queue } = llama.open(QUESTION, 4)
  llama.cancel(id)
  token(id)
  say({ kind: 'failed', id, error: { code: 'ENGINE_CRASHED', message: 'late' } })
  say({ kind: 'result', id: 99, result: { method: 'detokenize', text: 'late' } })
  let isTaken = false
  void queue.take().then(() => {
    isTaken = true
  })
  await settle()
  t.absent(isTaken)
  t.alike(child.signals, [])
})

test('should send nothing to a child that has ended, and fail new requests at once', async (t) => {
  const { child, llama, load, codes } = scene(t)
  await load()
  child.exit(1)
  const sent = child.received.length
  const { id, queue } = llama.open(QUESTION, 4)
  llama.grant(id, 1)
  llama.cancel(id)
  llama.limitThreads(1)
  await t.exception(queue.take(), { code: 'ENGINE_CRASHED' })
  await t.exception(llama.call({ method: 'tokenize', text: 'x' }), { code: 'ENGINE_CRASHED' })
  await llama.close()
  t.is(child.received.length, sent)
  t.alike(codes(), ['ENGINE_CRASHED'])
})

test('should refuse a request that is out of bounds and send nothing', async (t) => {
  const { child, llama, load } = scene(t)
  await load()
  const sent = child.received.length
  const options = { ...optionsOf(), temperature: -1 }
  const refused = { code: 'INVALID_REQUEST', message: /^Invalid request to the engine: / }
  await t.exception(llama.open({ ...QUESTION, options }, 4).queue.take(), refused)
  await t.exception(llama.call({ method: 'embed', texts: [] }), refused)
  t.is(child.received.length, sent)
})

test('should log what the child writes, shortened', async (t) => {
  const { child, lines } = scene(t)
  child.stdout.write('loading\n')
  child.stderr.write(`${'x'.repeat(100_000)}\n`)
  await settle()
  t.alike(lines, ['loading', 'x'.repeat(1_000)])
})
