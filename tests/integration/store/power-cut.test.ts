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
import { PowerCut, powerTest } from '../../helpers/storage/power-cut.js'

const clock = new SystemClock()

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

async function lengthIn(folder: string): Promise<number> {
  const store = await openStore(join(folder, 'store'), { clock })
  const core = store.corestore.get({ name: 'log' })
  await core.ready()
  const { length } = core
  await core.close()
  await store.close()
  return length
}
