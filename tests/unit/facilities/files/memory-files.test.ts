import test from 'brittle'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { MemoryFile, MemoryFiles, SECTOR_BYTES } from '../../../helpers/storage/memory-files.js'

const PATH = '/memory/journal'

/** A disk with one file, of which something is not synced. */
async function unsynced(): Promise<MemoryFiles> {
  const files = new MemoryFiles([[PATH, new MemoryFile(Buffer.alloc(4 * SECTOR_BYTES, 'a'))]])
  const file = await files.open(PATH)
  await file?.write(SECTOR_BYTES, Buffer.alloc(3 * SECTOR_BYTES, 'b'))
  return files
}

function textAt(files: MemoryFiles): string {
  return files.at(PATH).bytes?.toString('latin1') ?? ''
}

test('should lose everything that was not synced when the power fails and nothing is decided', async (t) => {
  const files = await unsynced()
  t.is(textAt(files.afterPowerCut()), 'a'.repeat(4 * SECTOR_BYTES))
  const file = await files.open(PATH)
  await file?.sync()
  t.is(textAt(files.afterPowerCut()), 'a'.repeat(SECTOR_BYTES) + 'b'.repeat(3 * SECTOR_BYTES))
})

test('should lose, tear and flip what was not synced, and nothing else, when a seed decides', async (t) => {
  const files = await unsynced()
  const seen = new Set<string>()
  for (let seed = 1; seed <= 200; seed += 1) {
    const text = textAt(files.afterPowerCut(new SeededRandom(seed)))
    t.is(textAt(files.afterPowerCut(new SeededRandom(seed))), text, 'the same seed, the same disk')
    if (text.slice(0, SECTOR_BYTES) !== 'a'.repeat(SECTOR_BYTES)) t.fail('a synced sector changed')
    for (let start = SECTOR_BYTES; start < text.length; start += SECTOR_BYTES) {
      const sector = text.slice(start, start + SECTOR_BYTES)
      if (/^b+$/.test(sector)) seen.add('kept')
      else if (/^a+$/.test(sector)) seen.add('lost')
      else if (/^b+a+$/.test(sector)) seen.add('torn')
      else if (/^b*[^ab]b*$/.test(sector)) seen.add('flipped')
      else t.fail(`an impossible sector: ${sector}`)
    }
  }
  t.alike([...seen].sort(), ['flipped', 'kept', 'lost', 'torn'])
})

test('should undo a change of the length or not when the power fails', async (t) => {
  const files = new MemoryFiles([[PATH, new MemoryFile(Buffer.from('abcdef'))]])
  const file = await files.open(PATH)
  await file?.truncate(2)
  const random = new SeededRandom(1)
  const texts = new Set<string>()
  for (let cut = 0; cut < 20; cut += 1) texts.add(textAt(files.afterPowerCut(random)))
  t.alike([...texts].sort(), ['ab', 'abcdef'])
})

test('should keep a replaced or removed file so when the power fails', async (t) => {
  const files = new MemoryFiles()
  await files.replace(PATH, Buffer.from('one'))
  t.is(textAt(files.afterPowerCut()), 'one')
  await files.remove(PATH)
  t.is(await files.afterPowerCut(new SeededRandom(1)).open(PATH), undefined)
})

test('should refuse to use an open file when it was replaced by another', async (t) => {
  const files = new MemoryFiles([[PATH, new MemoryFile(Buffer.from('one'))]])
  const file = await files.open(PATH)
  await files.replace(PATH, Buffer.from('two'))
  await t.exception(async () => await file?.write(0, Buffer.from('x')), /replaced/)
  t.is(textAt(files), 'two')
})

test('should change nothing when the disk fails', async (t) => {
  const files = new MemoryFiles([[PATH, new MemoryFile(Buffer.from('one'))]])
  const file = await files.open(PATH)
  files.at(PATH).failure = new Error('ENOSPC')
  await t.exception(async () => await file?.write(0, Buffer.from('x')), /ENOSPC/)
  await t.exception(async () => await file?.sync(), /ENOSPC/)
  await t.exception(files.replace(PATH, Buffer.from('two')), /ENOSPC/)
  t.is(textAt(files), 'one')
})
