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
  TINY_MODEL_PATH,
  tinyLlama,
  tinyModelMemoryBytes,
} from '../../../helpers/engine/tiny-llama.js'
import { isRunning } from '../../../helpers/processes/process-gone.js'
import { until } from '../../../helpers/until.js'

const ENDLESS = { maxTokens: 200 }
const MEBIBYTE = 2 ** 20

test('should fail what runs and start again when its process hangs', async (t) => {
  const clock = new VirtualClock()
  const engine = await tinyLlama(t, { clock })
  const fresh = await answer(engine, 'Once upon a time', { maxTokens: 5 })
  const processId = processIdOf(engine)
  const generation = generate(engine, 'Once upon a time', ENDLESS)
  await generation.next()
  process.kill(processId, 'SIGSTOP')
  const rest = t.exception(collect(generation), { code: 'ENGINE_CRASHED' })
  for (let beat = 0; beat <= 10; beat += 1) await clock.advance(PING_INTERVAL_MS)
  await rest
  t.absent(await isRunning(processId))
  t.alike((await answer(engine, 'Once upon a time', { maxTokens: 5 })).tokenIds, fresh.tokenIds)
  t.is(engine.status().restarts, 1)
})

test('should start again at once when nobody read to the end of what it answered before', async (t) => {
  const crashed = new EventEmitter()
  // Time stands still: a wait before a restart would have no end.
  const clock = new VirtualClock()
  const engine = await tinyLlama(t, { clock, onCrash: () => crashed.emit('crash') })
  for (let crash = 0; crash < 2; crash += 1) {
    const generation = generate(engine, 'Once upon a time', ENDLESS)
    await generation.next()
    await generation.return(undefined as never)
    process.kill(processIdOf(engine), 'SIGKILL')
    await once(crashed, 'crash')
  }
  t.is((await answer(engine, 'x', { maxTokens: 2 })).tokenIds.length, 2)
  t.is(engine.status().restarts, 2)
})

test('should free its process when it is unloaded, and load again when it is asked', async (t) => {
  const engine = await tinyLlama(t)
  const fresh = await answer(engine, 'Once upon a time', { maxTokens: 5 })
  const processId = processIdOf(engine)
  await engine.unload()
  t.absent(await isRunning(processId))
  t.alike(engine.status(), { state: 'stopped', restarts: 0 })
  t.is(engine.info().contextTokens, 256, 'what it is stays known')
  t.alike((await answer(engine, 'Once upon a time', { maxTokens: 5 })).tokenIds, fresh.tokenIds)
  t.alike(engine.status(), { state: 'running', restarts: 0 }, 'which is no restart')
})

test('should end in one loaded process when it is loaded and unloaded at once', async (t) => {
  const engine = await tinyLlama(t)
  const work = [engine.unload(), engine.load(), engine.unload(), engine.load(), engine.load()]
  const outcomes = await Promise.allSettled(work)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.is(Object(outcome.reason).code, 'DRAINING')
  }
  t.is((await answer(engine, 'x', { maxTokens: 2 })).tokenIds.length, 2)
  t.is(engine.status().state, 'running')
})

test('should take no memory when there is too little of it', async (t) => {
  const memoryBytes = await tinyModelMemoryBytes(4)
  const poor = { availableMemoryBytes: () => MEBIBYTE }
  await t.exception(tinyLlama(t, poor), {
    code: 'MEMORY_INSUFFICIENT',
    message:
      `The model needs about ${Math.ceil(memoryBytes / MEBIBYTE)} MiB of memory with these slots ` +
      'and this context; 1 MiB are available',
  })
})

test('should hand the token of the hub over only when the model comes from there', async (t) => {
  const prepare = sinon.spy(LlamaProcess.prototype, 'prepare')
  t.teardown(() => prepare.restore())
  const options = { hubToken: 'hf_token', availableMemoryBytes: () => MEBIBYTE }
  await t.exception(tinyLlama(t, options), { code: 'MEMORY_INSUFFICIENT' })
  t.absent('hubToken' in prepare.firstCall.args[0])
  // Nobody answers there.
  const fetched = new LlamaEngine({
    ...{ ...options, model: 'hf:owner/repository/x.gguf', hubUrl: 'http://127.0.0.1:9' },
    ...{ modelsDirectory: await t.tmp(), clock: new VirtualClock() },
  })
  const loading = t.exception(fetched.load())
  await until('the second load', () => prepare.calledTwice)
  t.is(prepare.secondCall.args[0].hubToken, 'hf_token')
  await fetched.dispose()
  await loading
})

test('should tell its process with how many threads it may compute', async (t) => {
  const prepare = sinon.spy(LlamaProcess.prototype, 'prepare')
  const limit = sinon.spy(LlamaProcess.prototype, 'limitThreads')
  t.teardown(() => sinon.restore())
  const engine = await tinyLlama(t, { threads: 2 })
  t.absent('maxThreads' in prepare.firstCall.args[0], 'nobody has said so')
  const fresh = await answer(engine, 'Once upon a time', { maxTokens: 5 })
  engine.limitThreads(1)
  t.alike(limit.args, [[1]])
  t.alike((await answer(engine, 'Once upon a time', { maxTokens: 5 })).tokenIds, fresh.tokenIds)
  await engine.unload()
  engine.limitThreads(2)
  await engine.load()
  t.is(prepare.secondCall.args[0].maxThreads, 2, 'the next process is told when it is started')
  t.alike((await answer(engine, 'Once upon a time', { maxTokens: 5 })).tokenIds, fresh.tokenIds)
})

test('should take no memory for its model before it is loaded', async (t) => {
  const engine = await tinyLlama(t)
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
