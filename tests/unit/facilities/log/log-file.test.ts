import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { openLogFile } from '../../../../facilities/log/log-file.js'

const LIMIT_BYTES = 10 * 1024 * 1024

async function append(path: string, text: string): Promise<void> {
  const file = await openLogFile(path)
  await file.write(text)
  await file.close()
}

test('should append to what is there, for its owner alone', async (t) => {
  const path = join(await t.tmp(), 'gateway.log')
  await append(path, 'one\n')
  await append(path, 'two\n')
  t.is(await readFile(path, 'utf8'), 'one\ntwo\n')
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('should set a log aside when it has become large, and forget the one before', async (t) => {
  const folder = await t.tmp()
  const path = join(folder, 'gateway.log')
  await writeFile(`${path}.1`, 'the one before')
  await append(path, '')
  await truncate(path, LIMIT_BYTES)
  await append(path, '')
  t.is((await stat(path)).size, LIMIT_BYTES, 'not yet')
  await truncate(path, LIMIT_BYTES + 1)
  await append(path, 'new\n')
  t.is(await readFile(path, 'utf8'), 'new\n')
  t.is((await stat(`${path}.1`)).size, LIMIT_BYTES + 1)
  t.alike((await readdir(folder)).sort(), ['gateway.log', 'gateway.log.1'])
})

test('should say so when it cannot be written', async (t) => {
  const path = join(await t.tmp(), 'missing', 'gateway.log')
  await t.exception(openLogFile(path), { code: 'HOME_UNUSABLE' })
  await t.exception(openLogFile(path), /cannot be written/)
})
