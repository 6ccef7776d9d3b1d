import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import test from 'brittle'
import { threadCounts } from '../../../../../helpers/generation/thread-counts.js'
import { ask, loadRuntime, openRuntime } from '../../../../helpers/engine/loaded-runtime.js'

test('should measure a model once, remember it, and measure again when the file is damaged', async (t) => {
  const tuningPath = join(await t.tmp(), 'tuning.json')
  const options = { threads: 'auto' as const, tuningPath, slots: 1, contextTokens: 128 }
  const first = await openRuntime(options)
  t.ok(threadCounts(0, availableParallelism()).includes(first.threads))
  t.ok(first.promptChunkTokens >= 16 && first.promptChunkTokens < 64)
  t.is((await ask(first, 'Once', { maxTokens: 3 })).ids.length, 3)
  await first.close()

  // What is remembered counts, not what a new measurement would give.
  const text = await readFile(tuningPath, 'utf8')
  await writeFile(tuningPath, text.replace(/"promptChunkTokens": \d+/, '"promptChunkTokens": 17'))
  const second = await openRuntime(options)
  t.is(second.promptChunkTokens, 17)
  t.is(second.threads, first.threads)
  await second.close()

  await writeFile(tuningPath, text.slice(0, 20))
  const third = await loadRuntime(t, options)
  t.not(third.promptChunkTokens, 17)
  t.ok((await readFile(tuningPath, 'utf8')).includes('"version": 2'))
})

test('should measure another model anew, and nothing when the threads are set', async (t) => {
  const tuningPath = join(await t.tmp(), 'tuning.json')
  const set = await openRuntime({ threads: 1, tuningPath, slots: 1, contextTokens: 128 })
  t.is(set.threads, 1)
  await set.close()
  await t.exception(readFile(tuningPath), { code: 'ENOENT' })
  for (const modelSha256 of ['a'.repeat(64), 'b'.repeat(64)]) {
    const options = { threads: 'auto' as const, tuningPath, slots: 1, contextTokens: 128 }
    await (await openRuntime({ ...options, modelSha256 })).close()
  }
  const text = await readFile(tuningPath, 'utf8')
  t.ok(text.includes('aaaa') && text.includes('bbbb'))
})
