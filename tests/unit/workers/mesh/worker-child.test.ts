import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { WorkerChild } from '../../../../workers/mesh/worker-child.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { ChildrenStandIn } from '../../../helpers/processes/children-stand-in.js'
import { settle } from '../../../helpers/until.js'

async function scene(t: Test) {
  const children = new ChildrenStandIn()
  const clock = new VirtualClock()
  const logFile = join(await t.tmp(), 'processor.log')
  const worker = new WorkerChild({
    name: 'processor',
    script: '/workers/processor.js',
    flags: ['--home', '/h'],
    environment: { PATH: '/bin' },
    logFile,
    drainTimeoutMs: 60_000,
    clock,
    fork: children.fork,
  })
  const serving = worker.serving()
  const child = await children.child(1)
  return { worker, serving, child, clock, logFile }
}

test('should start the script in its own process group with its log as output', async (t) => {
  const { child, serving, logFile } = await scene(t)
  const { modulePath, args, options } = child.forked ?? {}
  t.alike(
    [modulePath, args, options?.env],
    ['/workers/processor.js', ['--home', '/h'], { PATH: '/bin' }],
  )
  t.ok(options?.detached, 'Ctrl-C at the terminal is not for the worker')
  t.is(await readFile(logFile, 'utf8'), '')
  child.say({ kind: 'ready' })
  await serving
})

test('should pass on the progress and the notices of a worker and ignore malformed messages', async (t) => {
  const { worker, child, serving } = await scene(t)
  const events: unknown[][] = []
  worker.on('progress', (...event: unknown[]) => events.push(event))
  worker.on('notice', (...event: unknown[]) => events.push(event))
  child.say({ kind: 'progress', activity: 'converting', fraction: 0.5 })
  child.say({ kind: 'progress', activity: 'converting', fraction: 2 })
  child.say('ready')
  child.say({ kind: 'notice', text: 'A toy' })
  t.alike(events, [['converting', 0.5], ['A toy']])
  child.say({ kind: 'ready' })
  await serving
})

test('should fail with the typed error of a worker when it cannot start', async (t) => {
  const { worker, child, serving } = await scene(t)
  child.say({ kind: 'failed', code: 'MODEL_INVALID', message: 'not a GGUF file' })
  child.exit(1)
  await t.exception(serving, { code: 'MODEL_INVALID', message: 'processor: not a GGUF file' })
  t.is(await worker.ended(), 'exit code 1')
})

test('should fail as INTERNAL when the error code of a worker is unknown', async (t) => {
  const { child, serving } = await scene(t)
  child.say({ kind: 'failed', code: 'FROM_THE_FUTURE', message: 'no' })
  child.exit(1)
  await t.exception(serving, { code: 'INTERNAL', message: 'processor: no' })
})

test('should name the log when a worker ends without an error or cannot be started', async (t) => {
  const killed = await scene(t)
  killed.child.exit('SIGKILL')
  await t.exception(killed.serving, {
    code: 'INTERNAL',
    message: `processor ended before it served (SIGKILL); its log is ${killed.logFile}`,
  })
  const missing = await scene(t)
  missing.child.emit('error', new Error('spawn ENOENT'))
  await t.exception(missing.serving, { code: 'INTERNAL' })
  t.is(await missing.worker.ended(), 'spawn ENOENT')
})

test('should ignore messages of a worker after it has exited', async (t) => {
  const { worker, child, serving } = await scene(t)
  child.exit(0)
  await t.exception(serving, { code: 'INTERNAL' })
  child.say({ kind: 'ready' })
  child.say({ kind: 'failed', code: 'MODEL_INVALID', message: 'late' })
  await t.exception(worker.serving(), { code: 'INTERNAL' })
})

test('should let a worker drain for as long as is configured before it is killed', async (t) => {
  const { worker, child, serving, clock } = await scene(t)
  child.say({ kind: 'ready' })
  await serving
  const closed = worker.close()
  await settle()
  t.alike(child.signals, ['SIGTERM'])
  await clock.advance(64_999)
  t.alike(child.signals, ['SIGTERM'])
  await clock.advance(1)
  t.alike(child.signals, ['SIGTERM', 'SIGKILL'])
  child.exit('SIGKILL')
  await closed
  t.is(await worker.ended(), 'SIGKILL')
})

test('should kill nothing when a worker ends in time', async (t) => {
  const { worker, child, serving, clock } = await scene(t)
  child.say({ kind: 'ready' })
  await serving
  const closed = worker.close()
  await settle()
  child.exit(0)
  await closed
  t.is(clock.pending, 0)
  t.alike(child.signals, ['SIGTERM'])
})
