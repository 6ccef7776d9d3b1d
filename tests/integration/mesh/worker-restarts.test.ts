import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import type { Random } from '../../../facilities/clock/random.js'
import { WorkerSupervisor } from '../../../workers/mesh/worker-supervisor.js'
import { VirtualClock } from '../../helpers/clock/virtual-clock.js'
import { SeededRandom } from '../../helpers/seeded-random.js'

const RESTARTS = 3

/** The pauses before the restarts of a worker that ends as soon as it serves, in milliseconds. */
async function pausesOf(t: Test, random: Random): Promise<number[]> {
  const directory = await t.tmp()
  const script = join(directory, 'worker.cjs')
  await writeFile(script, "process.send({ kind: 'ready' }, () => process.exit(1))")
  const clock = new VirtualClock()
  const logFile = join(directory, 'worker.log')
  const started = { name: 'worker', script, flags: [], environment: {}, logFile }
  const worker = new WorkerSupervisor({ ...started, clock, random })
  t.teardown(() => worker.close())
  const pauses: number[] = []
  await new Promise<void>((resolve) => {
    worker.on('exit', (_how: string, restartInMs: number) => {
      pauses.push(restartInMs)
      if (pauses.length === RESTARTS) return resolve()
      setImmediate(() => void clock.advance(restartInMs))
    })
    void worker.ready()
  })
  return pauses
}

test('should restart later each time, and not together with other workers, when one keeps ending', async (t) => {
  const [one, other] = await Promise.all([
    pausesOf(t, new SeededRandom(1)),
    pausesOf(t, new SeededRandom(2)),
  ])
  t.unlike(one, other)
  for (const pauses of [one, other]) {
    for (const [index, pauseMs] of pauses.entries()) {
      const aboutMs = 250 * 2 ** index
      t.ok(pauseMs >= 0.75 * aboutMs - 1 && pauseMs <= 1.25 * aboutMs + 1, `${pauses}`)
    }
  }
})
