import fs from 'node:fs'
import { readdir, unlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test from 'brittle'
import { FileLock, openLocked } from '../../../../facilities/files/file-lock.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { until } from '../../../helpers/until.js'

const never = () => {
  throw new Error('nobody else has it')
}

test('should leave no file when a lock is released', async (t) => {
  const folder = await t.tmp()
  const lock = await FileLock.take(join(folder, 'lock'), {
    clock: new VirtualClock(),
    onWait: never,
  })
  t.alike(await readdir(folder), ['lock'])
  await lock.release()
  t.alike(await readdir(folder), [])
})

test('should take a lock at once when a dead process left its file', async (t) => {
  const path = join(await t.tmp(), 'lock')
  await writeFile(path, '')
  const lock = await FileLock.take(path, { clock: new VirtualClock(), onWait: never })
  await lock.release()
  t.pass()
})

test('should let one in at a time and each in the end when several want a lock', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const clock = new VirtualClock()
  let inside = 0
  let most = 0
  let waits = 0
  const take = async () => {
    const lock = await FileLock.take(path, { clock, onWait: () => (waits += 1) })
    inside += 1
    most = Math.max(most, inside)
    await clock.sleep(250)
    inside -= 1
    await lock.release()
  }
  const all = Promise.all(Array.from({ length: 5 }, take))
  await clock.advanceUntil(all)
  t.is(most, 1)
  t.is(waits, 4, 'once for each that waited')
  t.is(clock.pending, 0)
})

test('should not admit a third process when the lock file of the first was removed', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const clock = new VirtualClock()
  const first = await FileLock.take(path, { clock, onWait: never })
  await unlink(path)
  const second = await FileLock.take(path, { clock, onWait: never })
  await first.release()
  let isIn = false
  const third = FileLock.take(path, { clock, onWait: () => undefined }).then((lock) => {
    isIn = true
    return lock
  })
  await until('the wait', () => clock.pending === 1)
  t.is(isIn, false)
  await second.release()
  await (await clock.advanceUntil(third)).release()
})

test('should not take a lock on a file that was released between opening and locking it', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const clock = new VirtualClock()
  const first = await FileLock.take(path, { clock, onWait: never })
  const { open } = fs.promises
  const restore = () => {
    fs.promises.open = open
    syncBuiltinESMExports()
  }
  t.teardown(restore)
  let third: FileLock | undefined
  fs.promises.open = async (...given) => {
    const file = await open(...given)
    restore()
    await first.release()
    third = await FileLock.take(path, { clock, onWait: never })
    return file
  }
  syncBuiltinESMExports()
  let waits = 0
  const second = FileLock.take(path, { clock, onWait: () => (waits += 1) })
  await until('the wait for the third', () => waits === 1 && clock.pending === 1)
  await third?.release()
  await (await clock.advanceUntil(second)).release()
  t.pass('it waited for the one who has the new file')
})

test('should stop waiting with its reason when the signal is aborted', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const clock = new VirtualClock()
  const first = await FileLock.take(path, { clock, onWait: never })
  const controller = new AbortController()
  let waits = 0
  const onWait = () => (waits += 1)
  const waiting = FileLock.take(path, { clock, signal: controller.signal, onWait })
  await until('the wait', () => waits === 1 && clock.pending === 1)
  controller.abort(new Error('enough'))
  await t.exception(waiting, /enough/)
  t.is(clock.pending, 0)
  await t.exception(FileLock.take(path, { clock, signal: controller.signal, onWait }), /enough/)
  await first.release()
})

test('should fail when the folder is not there', async (t) => {
  const path = join(await t.tmp(), 'none', 'lock')
  await t.exception(FileLock.take(path, { clock: new VirtualClock(), onWait: never }), {
    code: 'ENOENT',
  })
})

test('should leave the file when it is to be kept', async (t) => {
  const folder = await t.tmp()
  const options = { clock: new VirtualClock(), onWait: never, isKept: true }
  for (let round = 0; round < 2; round += 1) {
    await (await FileLock.take(join(folder, 'lock'), options)).release()
    t.alike(await readdir(folder), ['lock'])
  }
})

test('should give up with OVERLOADED when another holds the lock for too long', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const clock = new VirtualClock()
  const first = await FileLock.take(path, { clock })
  const waiting = FileLock.take(path, { clock, timeoutMs: 2_000 })
  await t.exception(clock.advanceUntil(waiting), {
    code: 'OVERLOADED',
    message: `Another process has held the lock ${path} for 2 s`,
  })
  t.ok(clock.monotonic() >= 2_000)
  t.is(clock.pending, 0)
  await first.release()
  await (await FileLock.take(path, { clock, timeoutMs: 0 })).release()
})

test('should report that a file is locked until its holder closes it', async (t) => {
  const path = join(await t.tmp(), 'lock')
  const first = await openLocked(path)
  t.is(await openLocked(path), null)
  await first?.close()
  const second = await openLocked(path)
  t.ok(second)
  await second?.close()
})
