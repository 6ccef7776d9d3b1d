import { EventEmitter, once } from 'node:events'
import { copyFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import sinon from 'sinon'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { PING_INTERVAL_MS } from '../../../../facilities/engine/llama/child-heartbeat.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { LlamaProcess } from '../../../../facilities/engine/llama/llama-process.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import {
  answer,
  collect,
  generate,
  processIdOf,
  SHARED_MODELS_DIRECTORY,
  standInLlama,
  TINY_MODEL_PATH,
  tinyLlama,
  tinyModelMemoryBytes,
} from '../../../helpers/engine/tiny-llama.js'
import { isRunning } from '../../../helpers/processes/process-gone.js'
import { until } from '../../../helpers/until.js'

const ENDLESS = { maxTokens: 4_096 }
const MEBIBYTE = 2 ** 20

test('should restart at once when its previous answers were not read to the end', async (t) => {
  const crashed = new EventEmitter()
  // Time stands still: a wait before a restart would have no end.
  const clock = new VirtualClock()
  const engine = standInLlama(t, { clock, onCrash: () => crashed.emit('crash') })
  for (let crash = 0; crash < 2; crash += 1) {
    const generation = generate(engine, 'endless', ENDLESS)
    await generation.next()
    await generation.return(undefined as never)
    process.kill(processIdOf(engine), 'SIGKILL')
    await once(crashed, 'crash')
  }
  t.is((await answer(engine, 'x', { maxTokens: 2 })).tokenIds.length, 2)
  t.is(engine.status().restarts, 2)
})

test('should end in one loaded process when it is loaded and unloaded at once', async (t) => {
  const engine = standInLlama(t)
  await engine.load()
  const processId = processIdOf(engine)
  const work = [engine.unload(), engine.load(), engine.unload(), engine.load(), engine.load()]
  const outcomes = await Promise.allSettled(work)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.is(Object(outcome.reason).code, 'DRAINING')
  }
  t.is((await answer(engine, 'x', { maxTokens: 2 })).tokenIds.length, 2)
  t.absent(await isRunning(processId), 'the first process is gone')
  t.alike(engine.status(), { state: 'running', restarts: 0 }, 'which was no restart')
  await engine.unload()
  t.alike(engine.status(), { state: 'stopped', restarts: 0 })
  t.is(engine.info().contextTokens, 100, 'what it is stays known')
})

test('should use no memory when there is too little', async (t) => {
  const memoryBytes = await tinyModelMemoryBytes(4)
  const poor = { availableMemoryBytes: () => MEBIBYTE }
  await t.exception(tinyLlama(t, poor), {
    code: 'MEMORY_INSUFFICIENT',
    message:
      `The model needs about ${Math.ceil(memoryBytes / MEBIBYTE)} MiB of memory with these slots ` +
      'and this context; 1 MiB are available',
  })
})

test('should pass on the token of the hub only when the model comes from there', async (t) => {
  const prepare = sinon.spy(LlamaProcess.prototype, 'prepare')
  t.teardown(() => prepare.restore())
  const options = { hubToken: 'hf_token', hubUrl: 'http://127.0.0.1:9' }
  await standInLlama(t, options).load()
  t.absent('hubToken' in prepare.firstCall.args[0])
  await standInLlama(t, { ...options, model: 'hf:owner/repository/x.gguf' }).load()
  t.is(prepare.secondCall.args[0].hubToken, 'hf_token')
})

test('should pass its process the number of threads that it may use', async (t) => {
  const prepare = sinon.spy(LlamaProcess.prototype, 'prepare')
  const limit = sinon.spy(LlamaProcess.prototype, 'limitThreads')
  t.teardown(() => sinon.restore())
  const engine = standInLlama(t, { threads: 2 })
  await engine.load()
  t.absent('maxThreads' in prepare.firstCall.args[0], 'nobody has said so')
  engine.limitThreads(1)
  t.alike(limit.args, [[1]])
  await engine.unload()
  engine.limitThreads(2)
  await engine.load()
  t.is(prepare.secondCall.args[0].maxThreads, 2, 'the next process is told when it is started')
})

test('should use no memory for its model before it is loaded', async (t) => {
  const engine = standInLlama(t)
  await engine.load()
  await engine.unload()
  t.is(await engine.prepare(), engine.info().memoryBytes)
  t.alike(engine.status(), { state: 'starting', restarts: 0 })
  process.kill(processIdOf(engine), 'SIGKILL')
  await until('the crash', () => engine.status().state === 'stopped')
  await engine.load()
  t.is((await answer(engine, 'x', { maxTokens: 2 })).tokenIds.length, 2)
})

test('should fail with OVERLOADED when its file needs more memory than was reserved', async (t) => {
  const model = join(await t.tmp(), 'grows.gguf')
  await copyFile(TINY_MODEL_PATH, model)
  const engine = new LlamaEngine({
    ...{ model, modelsDirectory: SHARED_MODELS_DIRECTORY, gpu: false, clock: new SystemClock() },
  })
  t.teardown(async () => await engine.dispose())
  const memoryBytes = await engine.prepare()
  await truncate(model, 3 * MEBIBYTE)
  await t.exception(engine.load(), { code: 'OVERLOADED' })
  t.ok((await engine.prepare()) > memoryBytes)
  await engine.load()
})

test('should end the answer that blocks or crashes its process with INVALID_REQUEST, and the others as usual for a crash', async (t) => {
  for (const [question, message, beats] of [
    ['a template that loops', /took longer than 10 s/, 7],
    ['a template that aborts', /SIGABRT/, 0],
  ] as const) {
    const clock = new VirtualClock()
    const lines = new EventEmitter()
    const engine = standInLlama(t, { clock, onLog: (line) => lines.emit(line) })
    const other = generate(engine, 'another answer', ENDLESS)
    await other.next()
    const isStuck = once(lines, 'stuck')
    const ended = Promise.all([
      t.exception(collect(generate(engine, question)), { code: 'INVALID_REQUEST', message }),
      t.exception(collect(other), { code: 'ENGINE_CRASHED' }),
    ])
    await isStuck
    for (let beat = 0; beat < beats; beat += 1) await clock.advance(PING_INTERVAL_MS)
    await ended
  }
})

test('should end an answer whose token never comes with GRAMMAR_INVALID, and refuse its schema from then on', async (t) => {
  const clock = new VirtualClock()
  const lines = new EventEmitter()
  const engine = standInLlama(t, { clock, onLog: (line) => lines.emit(line) })
  await engine.load()
  const jsonSchema = { type: 'array' }
  let isRefused = false
  const stuck = t
    .exception(answer(engine, 'a schema that gets stuck', { jsonSchema }), {
      code: 'GRAMMAR_INVALID',
      message: 'The JSON schema cannot be used: choosing a token with it took longer than 10 s',
    })
    .finally(() => {
      isRefused = true
    })
  while (!isRefused) {
    const answered = once(lines, 'answered')
    await clock.advance(PING_INTERVAL_MS)
    await Promise.race([answered, stuck])
  }
  await t.exception(answer(engine, 'any', { jsonSchema }), { code: 'GRAMMAR_INVALID' })
  t.is(engine.processId, null, 'no process was started for it')
  t.is((await answer(engine, 'fine', { maxTokens: 1, jsonSchema: {} })).text, 'fine')
  t.is(engine.status().restarts, 1)
})
