import { join } from 'node:path'
import test from 'brittle'
import { diskFailure, freeBytes, unusablePath } from '../../../../facilities/files/disk-failure.js'

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: write`), { code })
}

test('should report that the disk is full, where, and how much is free', async (t) => {
  const path = join(await t.tmp(), 'auth', 'store')
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const failure = diskFailure(path, systemError(code), { retryAfterMs: 2_000 })
    t.is(failure?.code, 'DISK_FULL')
    t.is(failure?.retryAfterMs, 2_000)
    t.ok(failure?.retryable)
    t.ok(failure?.message.startsWith(`The disk of ${path} is full: `), failure?.message)
    t.ok(/: \d+ (MB|bytes) are free$/.test(failure?.message ?? ''), failure?.message)
  }
})

test('should find the reason when it is below other failures or only in words', (t) => {
  const below = new Error('Batch was not applied', {
    cause: new Error('While appending to file: /x/000008.log: No space left on device'),
  })
  t.is(diskFailure('/x', new Error('outer', { cause: below }))?.code, 'DISK_FULL')
  t.is(diskFailure('/x', new Error('While open: Read-only file system'))?.code, 'DISK_FAILED')
  const endless = new Error('a')
  endless.cause = endless
  t.is(diskFailure('/x', endless), undefined)
})

test('should distinguish a disk that cannot be written from a path that cannot', (t) => {
  for (const code of ['EROFS', 'EIO']) {
    const failure = diskFailure('/x/key', systemError(code))
    t.is(failure?.code, 'DISK_FAILED')
    t.ok(failure?.message.includes('/x/key'))
  }
  t.is(diskFailure('/x', systemError('EACCES')), undefined)
  t.is(unusablePath('/x', 'cannot be written', systemError('ENOSPC')).code, 'DISK_FULL')
  const other = unusablePath('/x', 'cannot be written', systemError('EACCES'))
  t.alike([other.code, other.message], ['HOME_UNUSABLE', '/x cannot be written'])
})

test('should report the free space where the last parts of a path are missing', async (t) => {
  const folder = await t.tmp()
  const free = freeBytes(join(folder, 'not', 'there'))
  t.ok(free !== undefined && free > 0)
})
