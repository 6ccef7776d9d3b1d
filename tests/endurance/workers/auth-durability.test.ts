import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { decodeWitness } from '../../../helpers/store/store-witness.js'
import { Cleanup } from '../../helpers/cleanup.js'
import { KilledAuth } from '../../helpers/processes/killed-auth.js'
import { Running } from '../../helpers/processes/worker-processes.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { PowerCut, powerCutUnavailable } from '../../helpers/storage/power-cut.js'

const KILLS = 100
const CUTS = 12
const clock = new SystemClock()
const withoutPower = await powerCutUnavailable()

/** Cuts the power, or says in the test's own line why it cannot be cut here. */
function powerTest(name: string, run: (t: Test) => Promise<void>): void {
  if (withoutPower === null) test(name, run)
  else test.skip(`${name}: ${withoutPower}`, run)
}

/** Lives that end after a few acknowledgements each, in the middle of other registrations. */
async function liveAndDie(
  auth: KilledAuth,
  deaths: number,
  afterDeath: () => Promise<void>,
  seed = deaths,
): Promise<string> {
  const random = new SeededRandom(seed)
  const startedAt = clock.monotonic()
  for (let death = 0; death < deaths; death += 1) {
    await auth.live(1 + random.below(2), random.below(40))
    await afterDeath()
  }
  const seconds = ((clock.monotonic() - startedAt) / 1000).toFixed(1)
  return `${auth.acknowledged.size} acknowledged, ${auth.cutOff} cut off, ${seconds} s`
}

test('should know every acknowledged user when auth was killed 100 times under load', async (t) => {
  t.timeout(280_000)
  const cleanup = new Cleanup(t)
  // Two homes at once: one would leave a core idle.
  const auths = await Promise.all([KilledAuth.create(cleanup), KilledAuth.create(cleanup)])
  await Promise.all(
    auths.map(async (auth, index) => {
      t.comment(await liveAndDie(auth, KILLS / 2, async () => {}, index + 1))
      const emails = [...auth.acknowledged.keys()]
      t.ok(emails.length >= KILLS / 2)
      t.ok(auth.cutOff >= KILLS / 2, 'it was killed under load')
      await auth.logIn(emails.filter((_, one) => one % Math.ceil(emails.length / 20) === 0))
      t.alike(await auth.lost(), [], 'nobody is lost')
    }),
  )
})

powerTest('should know every acknowledged user when the power was cut under load', async (t) => {
  t.timeout(120_000)
  const cleanup = new Cleanup(t)
  const auth = await KilledAuth.create(cleanup)
  const power = await PowerCut.of(auth.folder, cleanup)
  auth.environment = power.environment
  const random = new SeededRandom(7)
  let cuts = 0
  const summary = await liveAndDie(auth, CUTS, async () => {
    cuts += 1
    // In turns nothing that was not synced reached the disk, and some of it.
    await power.cut(cuts % 2 === 0 ? random : undefined)
    t.alike(await auth.lost(), [], 'nobody is lost')
  })
  t.comment(summary)
  t.ok(auth.acknowledged.size >= CUTS)
})

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
