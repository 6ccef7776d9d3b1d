import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ChatHistory } from '../../../../facilities/home/chat-history.js'

async function scene(t: Test) {
  const path = join(await t.tmp(), 'history')
  const open = () => new ChatHistory(path, new SystemRandom())
  return { path, open, history: open() }
}

test('should remember the lines in their order when the next chat asks', async (t) => {
  const { history, open, path } = await scene(t)
  t.alike(await history.lines(), [])
  for (const line of ['one', 'two', 'zwei ähnliche', '/help']) await history.keep(line)
  t.alike(await open().lines(), ['one', 'two', 'zwei ähnliche', '/help'])
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('should keep no line that is empty, begins with a space or is the last one already', async (t) => {
  const { history, path } = await scene(t)
  for (const line of ['', '   ', ' secret', 'one', 'one', 'two', 'one', 'a\nb', 'a\rb']) {
    await history.keep(line)
  }
  t.is(await readFile(path, 'utf8'), 'one\ntwo\none\n')
})

test('should forget the oldest lines when there are more than 500', async (t) => {
  const { history, path } = await scene(t)
  const lines = Array.from({ length: 600 }, (_, index) => `line ${index}`)
  await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  t.alike(await history.lines(), lines.slice(100))
  await history.keep('one more')
  t.alike(await history.lines(), [...lines.slice(101), 'one more'])
  t.is((await readFile(path, 'utf8')).trimEnd().split('\n').length, 500)
})

test('should keep no line that is longer than 4,096 characters', async (t) => {
  const { history } = await scene(t)
  await history.keep('x'.repeat(4096))
  await history.keep('x'.repeat(4097))
  t.alike(await history.lines(), ['x'.repeat(4096)])
})

test('should say so when the file can be neither read nor written', async (t) => {
  const { history, path } = await scene(t)
  await mkdir(path)
  await t.exception(history.lines(), { code: 'HOME_UNUSABLE' })
  await t.exception(history.keep('one'), { code: 'HOME_UNUSABLE' })
})
