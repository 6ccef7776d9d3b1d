import test, { type Test } from 'brittle'
import { Witness } from '../../../../facilities/store/witness.js'
import type { WitnessState } from '../../../../helpers/store/store-witness.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import { MEMORY_PLACE } from '../../../helpers/storage/durable-memory.js'
import { MemoryFiles } from '../../../helpers/storage/memory-files.js'

const DIGEST = 'ab'.repeat(32)

/** That many cores, each with that length. */
function cores(count: number, length: number): WitnessState['cores'] {
  const core = { key: DIGEST, length, fork: 0, treeHash: DIGEST }
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`core-${index}`, core]))
}

function open(t: Test, files: MemoryFiles): Witness {
  const witness = new Witness({ files, place: MEMORY_PLACE, clock: new VirtualClock() })
  t.teardown(() => witness.close())
  return witness
}

test('should record as many cores as there are, and what it was told last', async (t) => {
  const files = new MemoryFiles()
  const witness = open(t, files)
  t.is(await witness.load(), null)
  for (const [index, count] of [1, 2, 2, 40, 41, 5, 200, 200].entries()) {
    await witness.record(cores(count, index))
    t.alike((await open(t, files).load())?.cores, cores(count, index), `${count} cores`)
  }
  t.is((await open(t, files).load())?.sequence, 8)
})

test('should continue where it was when it is loaded again', async (t) => {
  const files = new MemoryFiles()
  for (let sequence = 1; sequence <= 4; sequence += 1) {
    const witness = open(t, files)
    await witness.load()
    await witness.record(cores(30, sequence))
    t.is((await open(t, files).load())?.sequence, sequence)
  }
})

test('should say what is on disk, or what was before, when the power is cut at any moment', async (t) => {
  const files = new MemoryFiles()
  const witness = open(t, files)
  const file = files.at(MEMORY_PLACE.witness)
  const random = new SeededRandom(8)
  const sync = file.sync.bind(file)
  let length = 0
  let cuts = 0
  file.sync = async () => {
    for (let cut = 0; cut < 10; cut += 1) {
      const found = (await open(t, files.afterPowerCut(random)).load())?.cores['core-0']?.length
      if (found !== length && found !== length - 1) t.fail(`${found}, not ${length}`)
      cuts += 1
    }
    await sync()
  }
  for (length = 1; length <= 20; length += 1) {
    await witness.record(cores(length, length))
    const after = await open(t, files.afterPowerCut()).load()
    t.is(after?.cores['core-0']?.length, length)
  }
  t.ok(cuts > 50)
})

test('should refuse to write when its file was removed', async (t) => {
  const files = new MemoryFiles()
  const first = open(t, files)
  await first.record(cores(1, 1))
  const witness = open(t, files)
  await witness.load()
  await witness.close()
  await files.remove(MEMORY_PLACE.witness)
  await t.exception(witness.record(cores(1, 2)), { code: 'HOME_UNUSABLE' })
})

test('should refuse a file that is larger than a witness', async (t) => {
  const files = new MemoryFiles()
  await files.replace(MEMORY_PLACE.witness, Buffer.alloc(5 * 1024 * 1024))
  await t.exception(open(t, files).load(), { code: 'HOME_UNUSABLE' })
  await files.replace(MEMORY_PLACE.witness, Buffer.alloc(8192))
  await t.exception(open(t, files).load(), { code: 'STORE_DAMAGED' })
})
