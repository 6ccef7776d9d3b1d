import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { decodeWitness } from '../../../helpers/store/store-witness.js'
import { Cleanup } from '../../helpers/cleanup.js'
import { Running } from '../../helpers/processes/worker-processes.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { createRecords, valueAt } from '../../helpers/storage/local-records.js'
import { PowerCut, powerTest } from '../../helpers/storage/power-cut.js'
import { until } from '../../helpers/until.js'

const clock = new SystemClock()

/** Power cuts among checkpoints. */
const ROUNDS = 3

/** Runs a program that has a store in `folder`, with a core `log` in it, until it says `written`. */
async function runWriter(
  cleanup: Cleanup,
  { folder, power, program }: { folder: string; power: PowerCut; program: string },
): Promise<void> {
  const env = { ...process.env, ...power.environment }
  const module = (path: string) =>
    pathToFileURL(join(import.meta.dirname, '..', '..', '..', path)).href
  const script = `
    import { SystemClock } from '${module('facilities/clock/system-clock.js')}'
    import { openStore } from '${module('facilities/store/open-store.js')}'
    const store = await openStore('${folder}/store', { clock: new SystemClock() })
    const core = store.corestore.get({ name: 'log' })
    await core.ready()
    await store.track('log', core)
    ${program}
    process.stderr.write('written')
    process.stdin.resume()`
  const parameters = ['--input-type=module', '--eval', script]
  const writer = new Running(spawn(process.execPath, parameters, { env, stdio: 'pipe' }))
  cleanup.add(() => writer.kill())
  await writer.says('written')
  await writer.kill()
}

/** A folder on a disk whose power can be cut. */
async function powerScene(cleanup: Cleanup): Promise<{ folder: string; power: PowerCut }> {
  const folder = await mkdtemp(join(tmpdir(), 'starling-power-'))
  cleanup.add(() => rm(folder, { recursive: true, force: true }))
  return { folder, power: await PowerCut.of(folder, cleanup) }
}

powerTest('should lose what was not committed when the power is cut', async (t) => {
  t.timeout(60_000)
  const cleanup = new Cleanup(t)
  const { folder, power } = await powerScene(cleanup)
  const program = `
    await core.append(Buffer.from('committed'))
    await store.commit()
    await core.append(Buffer.from('not committed'))`
  await runWriter(cleanup, { folder, power, program })

  const killed = `${folder}.killed`
  cleanup.add(() => rm(killed, { recursive: true, force: true }))
  await cp(folder, killed, { recursive: true })
  t.is(await lengthIn(killed), 2, 'a kill loses neither')
  await power.cut()
  const witness = decodeWitness(await readFile(join(folder, 'store.witness')))
  t.is(witness?.cores.log?.length, 1, 'what was committed is witnessed')
  t.is(await lengthIn(folder), 1, 'a power cut loses the second')
})

powerTest('should keep what was committed when RocksDB has begun new logs since', async (t) => {
  t.timeout(60_000)
  const cleanup = new Cleanup(t)
  const { folder, power } = await powerScene(cleanup)
  // 24 MB, of which it keeps 8 in one log.
  const program = `
    for (let index = 0; index < 240; index += 1) {
      await core.append(Buffer.alloc(100_000, index))
      if (index % 3 === 0) await store.commit()
    }
    await store.commit()`
  await runWriter(cleanup, { folder, power, program })
  await power.cut()
  t.is(await lengthIn(folder), 240)
})

/** Five records that always have the same value, because they are changed together. */
const KEYS = ['a', 'b', 'c', 'd', 'e']

/** Starts a program that counts these records up, and says each value that was acknowledged. */
function startCounter(cleanup: Cleanup, folder: string, power: PowerCut): Running {
  const module = (path: string) =>
    pathToFileURL(join(import.meta.dirname, '..', '..', '..', path)).href
  const script = `
    import { SystemClock } from '${module('facilities/clock/system-clock.js')}'
    import { SystemRandom } from '${module('facilities/clock/random.js')}'
    import { LocalRecords } from '${module('facilities/store/local-records.js')}'
    import { openStore } from '${module('facilities/store/open-store.js')}'
    const guard = '${folder}/guard'
    const store = await openStore('${folder}/store', { clock: new SystemClock(), guard })
    const random = new SystemRandom()
    const records = new LocalRecords({ store, name: 'texts', random, minHistoryBlocks: 20 })
    for (let value = (await records.get('a'))?.value ?? 0; ; ) {
      value += 1
      const changes = ${JSON.stringify(KEYS)}.map((key) => ({ kind: 'put', key, value }))
      await records.batch({ changes })
      process.stdout.write(value + '\\n')
    }`
  const parameters = ['--input-type=module', '--eval', script]
  const env = { ...process.env, ...power.environment }
  const counter = new Running(spawn(process.execPath, parameters, { env, stdio: 'pipe' }))
  cleanup.add(() => counter.kill())
  return counter
}

/** The values in a copy of the folder, and how often its history was cut. */
async function countIn(folder: string, cleanup: Cleanup) {
  const copy = await mkdtemp(join(tmpdir(), 'starling-power-'))
  cleanup.add(() => rm(copy, { recursive: true, force: true }))
  await cp(folder, copy, { recursive: true })
  const store = await openStore(join(copy, 'store'), { clock, guard: join(copy, 'guard') })
  const records = createRecords(store, 'texts')
  const values = await Promise.all(KEYS.map((key) => valueAt(records, key)))
  const { epoch } = await records.revision()
  await records.close()
  await store.close()
  return { values, epoch }
}

powerTest(
  'should have all that was acknowledged when the power is cut among checkpoints',
  async (t) => {
    t.timeout(60_000)
    const cleanup = new Cleanup(t)
    const { folder, power } = await powerScene(cleanup)
    const random = new SeededRandom(17)
    let [last, epochs] = [0, 0]
    for (let round = 1; round <= ROUNDS; round += 1) {
      const counter = startCounter(cleanup, folder, power)
      const count = () => counter.stdout.split('\n').length - 1
      const enough = 5 + random.below(40)
      await until('the acknowledgements', () => count() >= enough || counter.hasEnded, 20_000)
      if (counter.hasEnded) t.fail(counter.stderr)
      await counter.kill()
      last = Number(counter.stdout.split('\n').at(-2))
      // In turns nothing that was not synced reached the disk, and some of it.
      await power.cut(round % 2 === 0 ? random : undefined)
      const { values, epoch } = await countIn(folder, cleanup)
      const [value] = values
      t.ok(Number(value) >= last, `${value} of ${last}, epoch ${epoch}`)
      t.alike(
        values,
        KEYS.map(() => value),
        'all of a batch or nothing',
      )
      t.ok(epoch >= epochs)
      epochs = epoch
    }
    t.ok(epochs > ROUNDS, `${epochs} checkpoints`)
  },
)

async function lengthIn(folder: string): Promise<number> {
  const store = await openStore(join(folder, 'store'), { clock })
  const core = store.corestore.get({ name: 'log' })
  await core.ready()
  const { length } = core
  await core.close()
  await store.close()
  return length
}
