import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { WorkerChild } from '../../../workers/mesh/worker-child.js'
import { Cleanup } from '../../helpers/cleanup.js'
import { VirtualClock } from '../../helpers/clock/virtual-clock.js'
import { settle, until } from '../../helpers/until.js'

/** A worker that serves at once and goes on when it is told to leave. */
const BUSY_WORKER = `
process.on('SIGTERM', () => process.send({ kind: 'progress', activity: 'leaving', fraction: 0 }))
process.on('disconnect', () => process.exit())
process.send({ kind: 'ready' })
`

async function start(t: Test, drainTimeoutMs: number) {
  const directory = await t.tmp()
  const script = join(directory, 'busy.cjs')
  await writeFile(script, BUSY_WORKER)
  const clock = new VirtualClock()
  const logFile = join(directory, 'log')
  const environment = {}
  const options = { name: 'busy', script, flags: [], environment, logFile, drainTimeoutMs, clock }
  const child = new WorkerChild(options)
  new Cleanup(t).add(async () => await clock.advanceUntil(child.close()))
  await child.serving()
  return { child, clock }
}

test('should let a worker drain for as long as is configured before it is killed', async (t) => {
  const { child, clock } = await start(t, 60_000)
  let how: string | undefined
  void child.ended().then((end) => {
    how = end
  })
  let isLeaving = false
  child.on('progress', () => {
    isLeaving = true
  })
  void child.close()
  await until('it to be told', () => isLeaving)
  await clock.advance(60_000)
  await settle(20)
  t.alike([how, clock.pending], [undefined, 1], 'it is still at work')
  await clock.advance(5_000)
  await until('its end', () => how)
  t.is(how, 'SIGKILL')
})
