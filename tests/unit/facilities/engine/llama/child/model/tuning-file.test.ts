import { execFileSync } from 'node:child_process'
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { TuningFile } from '../../../../../../../facilities/engine/llama/child/model/tuning-file.js'
import { VirtualClock } from '../../../../../../helpers/clock/virtual-clock.js'
import { until } from '../../../../../../helpers/until.js'

const SUBJECT = { model: 'a'.repeat(64), processors: 2, backend: 'cpu', version: '1' }
const TUNING = { threads: 1, promptChunkTokens: 32 }

test('should find what was remembered for the same model, machine and version', async (t) => {
  const path = join(await t.tmp(), 'deeper', 'tuning.json')
  const file = new TuningFile(path)
  t.is(await file.find(SUBJECT), null)
  t.ok(await file.remember(SUBJECT, { threads: 2, promptChunkTokens: 16 }))
  t.ok(await file.remember(SUBJECT, TUNING))
  t.alike(await new TuningFile(path).find(SUBJECT), TUNING)
  for (const other of [{ model: 'b' }, { processors: 4 }, { backend: 'cuda' }, { version: '2' }]) {
    t.is(await file.find({ ...SUBJECT, ...other }), null)
  }
})

test('should find nothing, and wait for nothing, when something else is in its place', async (t) => {
  t.timeout(3_000)
  const folder = await t.tmp()
  const path = join(folder, 'tuning.json')
  const file = new TuningFile(path)
  execFileSync('mkfifo', [path])
  t.is(await file.find(SUBJECT), null)
  t.ok(await file.remember(SUBJECT, TUNING), 'and takes that place')
  t.alike(await file.find(SUBJECT), TUNING)
})

test('should write through no link when it remembers', async (t) => {
  const folder = await t.tmp()
  const precious = join(await t.tmp(), 'precious')
  await writeFile(precious, 'precious')
  const path = join(folder, 'tuning.json')
  for (const name of [path, `${path}.${process.pid}.partial`]) await symlink(precious, name)
  t.ok(await new TuningFile(path).remember(SUBJECT, TUNING))
  t.is(await readFile(precious, 'utf8'), 'precious')
  t.alike(await new TuningFile(path).find(SUBJECT), TUNING)
})

test('should let one process measure at a time, and none wait forever', async (t) => {
  const clock = new VirtualClock()
  const file = new TuningFile(join(await t.tmp(), 'deeper', 'tuning.json'))
  const finish = new Map<string, () => void>()
  const begin = (name: string) => {
    const work = () => new Promise<void>((resolve) => finish.set(name, resolve))
    return file.alone(clock, work)
  }
  const first = begin('first')
  await until('the first', () => finish.get('first'))
  const second = begin('second')
  await clock.advance(1_000)
  t.absent(finish.has('second'))
  finish.get('first')?.()
  await first
  while (!finish.has('second')) await clock.advance(100)

  // It never ends, and the third begins beside it.
  const third = begin('third')
  while (!finish.has('third')) await clock.advance(100)
  for (const name of ['second', 'third']) finish.get(name)?.()
  await Promise.all([second, third])
  t.pass()
})

test('should measure all the same when nothing can be locked', async (t) => {
  const file = join(await t.tmp(), 'file')
  await writeFile(file, '')
  t.is(await new TuningFile(join(file, 'tuning.json')).alone(new VirtualClock(), async () => 1), 1)
})

test('should forget the oldest when there are many', async (t) => {
  const file = new TuningFile(join(await t.tmp(), 'tuning.json'))
  for (let index = 0; index < 65; index++) {
    await file.remember({ ...SUBJECT, model: String(index) }, TUNING)
  }
  t.is(await file.find({ ...SUBJECT, model: '0' }), null)
  t.alike(await file.find({ ...SUBJECT, model: '64' }), TUNING)
})

test('should find nothing that was measured in an older way', async (t) => {
  const path = join(await t.tmp(), 'tuning.json')
  const file = new TuningFile(path)
  await file.remember(SUBJECT, TUNING)
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"version": 2', '"version": 1'))
  t.is(await file.find(SUBJECT), null)
})

test('should find nothing in a damaged file, and replace it', async (t) => {
  const folder = await t.tmp()
  const path = join(folder, 'tuning.json')
  const file = new TuningFile(path)
  const wrong = JSON.stringify({ version: 2, entries: [['x', { threads: -1 }]] })
  for (const damage of ['', '{"version":2', '[]', wrong, 'x'.repeat(100_000)]) {
    await writeFile(path, damage)
    t.is(await file.find(SUBJECT), null)
  }
  await file.remember(SUBJECT, TUNING)
  t.alike(await file.find(SUBJECT), TUNING)
  t.alike(await readdir(folder), ['tuning.json'])
  t.ok((await readFile(path, 'utf8')).endsWith('}\n'))
})

test('should report that it could not save the measurement when the disk refuses', async (t) => {
  const folder = await t.tmp()
  await writeFile(join(folder, 'file'), '')
  t.absent(await new TuningFile(join(folder, 'file', 'tuning.json')).remember(SUBJECT, TUNING))
})
