import test from 'brittle'
import { writeFileAtomically } from '../../../../../facilities/models/cache/atomic-write.js'
import type { ModelProgress } from '../../../../../facilities/models/model-progress.js'
import { MemoryModelStorage } from '../../../../helpers/models/memory-model-storage.js'
import { SeededRandom } from '../../../../helpers/seeded-random.js'

const CONTENT = Buffer.alloc(9 * 1024 * 1024, 'a model')
const HOUR_MS = 3_600_000

test('should give a file its name only once it is durable', async (t) => {
  const storage = new MemoryModelStorage()
  const fractions: number[] = []
  const onProgress = ({ fraction }: ModelProgress) => fractions.push(fraction)
  const { rename } = storage
  storage.rename = async (from, to) => {
    t.alike(storage.synced, [from])
    t.ok(storage.content(from)?.equals(CONTENT))
    await rename.call(storage, from, to)
  }
  await writeFileAtomically(storage, 'x.gguf', CONTENT, new SeededRandom(1), { onProgress })
  t.alike(storage.names(), ['x.gguf'])
  t.ok(storage.content('x.gguf')?.equals(CONTENT))
  t.alike(fractions, [4 / 9, 8 / 9, 1])
})

test('should keep what was there and nothing else when writing fails', async (t) => {
  const storage = new MemoryModelStorage()
  await storage.put('x.gguf', 'before')
  storage.fullAtByte = 5 * 1024 * 1024
  const writing = writeFileAtomically(storage, 'x.gguf', CONTENT, new SeededRandom(1), {})
  await t.exception(writing, /ENOSPC/)
  t.alike(storage.names(), ['x.gguf'])
  t.is(String(storage.content('x.gguf')), 'before')
})

test('should report the first failure when what was written cannot be removed either', async (t) => {
  const storage = new MemoryModelStorage()
  storage.fullAtByte = 0
  storage.remove = async () => {
    throw new Error('EROFS: read-only file system')
  }
  const writing = writeFileAtomically(storage, 'x.gguf', CONTENT, new SeededRandom(1), {})
  await t.exception(writing, /ENOSPC/)
})

test('should remove drafts that are an hour old by the clock of the storage', async (t) => {
  const storage = new MemoryModelStorage()
  await storage.put('.old.gguf.1.draft', 'half', 0)
  await storage.put('.new.gguf.2.draft', 'half', 1000)
  await storage.put('y.gguf', 'whole', 0)
  await storage.put('z.draft', 'somebody else', 0)
  await storage.put('y.gguf.partial', 'fetched', 0)
  const { list } = storage
  storage.list = async () =>
    (await list.call(storage)).map((entry) =>
      entry.name === 'x.gguf' ? { ...entry, modifiedAtMs: HOUR_MS + 500 } : entry,
    )
  await writeFileAtomically(storage, 'x.gguf', CONTENT, new SeededRandom(1), {})
  t.alike(storage.names(), ['.new.gguf.2.draft', 'x.gguf', 'y.gguf', 'y.gguf.partial', 'z.draft'])
})

test('should not fail when the folder cannot be listed once the file is there', async (t) => {
  const storage = new MemoryModelStorage()
  storage.list = async () => {
    throw new Error('EIO')
  }
  await writeFileAtomically(storage, 'x.gguf', CONTENT, new SeededRandom(1), {})
  t.ok(storage.content('x.gguf')?.equals(CONTENT))
})
