import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { z } from 'zod'
import type { Clock } from '../../../../facilities/clock/clock.js'
import { FileLock } from '../../../../facilities/files/file-lock.js'
import { ProcessRegistry } from '../../../../facilities/home/process-registry.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { HastyClock } from '../../../helpers/clock/hasty-clock.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const schema = z.strictObject({ n: z.number() })

async function scene(t: Test, time?: Clock) {
  const cleanup = new Cleanup(t)
  const folder = join(await t.tmp(), 'shares')
  await mkdir(folder, { mode: 0o700 })
  const clock = new VirtualClock()
  const open = async (name: string) => {
    const ledger = new ProcessRegistry({ folder, name, schema, clock: time ?? clock })
    cleanup.add(() => ledger.close())
    await ledger.ready()
    return ledger
  }
  return { folder, clock, open }
}

/** What a process sees of the others while it enters a number. */
async function enter(ledger: ProcessRegistry<typeof schema>, n: number) {
  let seen: Record<string, { n: number } | undefined> = {}
  await ledger.update((others) => {
    seen = Object.fromEntries(others)
    return { n }
  })
  return seen
}

test('should show each process what the others have entered', async (t) => {
  const { open } = await scene(t)
  const one = await open('processor')
  t.alike(await enter(one, 1), {})
  const two = await open('processor-2')
  t.alike(await enter(two, 2), { processor: { n: 1 } })
  t.alike(await enter(one, 3), { 'processor-2': { n: 2 } })
  t.alike(await enter(two, 2), { processor: { n: 3 } })
})

test('should keep one from deciding while another does', async (t) => {
  const { open } = await scene(t, new HastyClock(10))
  const ledgers = await Promise.all(['a', 'b', 'c', 'd'].map(open))
  // Each enters one more than it sees.
  const last = (others: ReadonlyMap<string, { n: number } | undefined>) => ({
    n: Math.max(0, ...[...others.values()].map((entry) => entry?.n ?? 0)) + 1,
  })
  const entered = await Promise.all(ledgers.map((ledger) => ledger.update(last)))
  t.alike(entered.map(({ n }) => n).sort(), [1, 2, 3, 4])
})

test('should forget a process that has closed, and one that is gone without', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  const two = await open('processor-2')
  await enter(two, 2)
  await two.close()
  t.alike(await enter(one, 1), {})
  t.alike((await readdir(folder)).sort(), ['.lock', 'processor.json'])
  // Nobody holds its lock.
  await writeFile(join(folder, 'processor-3.json'), '{"n":3}')
  t.alike(await enter(one, 1), {})
  t.alike((await readdir(folder)).sort(), ['.lock', 'processor.json'])
})

test('should write nothing when it only looks', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await enter(one, 1)
  const path = join(folder, 'processor.json')
  await writeFile(path, 'as it was left')
  await enter(one, 1)
  t.is(await readFile(path, 'utf8'), 'as it was left')
  await enter(one, 2)
  t.is(await readFile(path, 'utf8'), '{"n":2}\n')
})

test('should count a process whose entry it does not understand', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await open('processor-2')
  t.alike(await enter(one, 1), { 'processor-2': undefined }, 'nothing is entered yet')
  for (const content of ['{', '{"n":"2"}', `{"n":1${' '.repeat(5_000)}}`]) {
    await writeFile(join(folder, 'processor-2.json'), content)
    t.alike(await enter(one, 1), { 'processor-2': undefined })
  }
})

test('should enter nothing when the decision fails', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await enter(one, 1)
  const failing = one.update(() => {
    throw new Error('undecided')
  })
  await t.exception(failing, /undecided/)
  t.is(await readFile(join(folder, 'processor.json'), 'utf8'), '{"n":1}\n')
  t.alike(await enter(await open('processor-2'), 2), { processor: { n: 1 } })
})

test('should refuse a second process of the same name, and everything once closed', async (t) => {
  const { open } = await scene(t)
  const one = await open('processor')
  await t.exception(open('processor'), { code: 'HOME_IN_USE' })
  await one.close()
  await t.exception(enter(one, 1), { code: 'DRAINING' })
})

test('should give up when another process keeps the ledger', async (t) => {
  const { folder, clock, open } = await scene(t)
  const one = await open('processor')
  const options = { clock, onWait: () => undefined }
  const held = await FileLock.take(join(folder, '.lock'), options)
  const waiting = t.exception(enter(one, 1), { code: 'OVERLOADED' })
  await clock.advanceUntil(waiting)
  await held.release()
  t.alike(await enter(one, 1), {})
  t.is(clock.pending, 0)
})

test('should say so when it can be neither read nor written', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await rm(folder, { recursive: true })
  await t.exception(enter(one, 1), { code: 'HOME_UNUSABLE' })
})

test('should write an entry that is shorter than the one before', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await enter(one, 123_456)
  await enter(one, 1)
  t.is(await readFile(join(folder, 'processor.json'), 'utf8'), '{"n":1}\n')
})

test('should close when its folder is gone', async (t) => {
  const { folder, open } = await scene(t)
  const one = await open('processor')
  await rm(folder, { recursive: true })
  await one.close()
  t.pass()
})
