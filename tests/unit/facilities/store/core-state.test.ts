import test from 'brittle'
import { MerkleRoots } from '../../../../facilities/store/core-state.js'
import { memoryStore } from '../../../helpers/storage/memory-storage.js'

test('should have the hash of the core at every length when it is given its blocks', async (t) => {
  const store = memoryStore()
  t.teardown(() => store.close())
  const core = store.get({ name: 'blocks' })
  await core.ready()
  const roots = new MerkleRoots()
  t.alike(roots.treeHash(), await core.treeHash(0), 'nothing')
  for (let length = 1; length <= 70; length += 1) {
    const block = Buffer.alloc(length * 7, length)
    await core.append(block)
    roots.append(block)
    const own = await core.treeHash(length)
    if (!roots.treeHash().equals(own)) t.fail(`another hash at ${length}`)
  }
  t.is(roots.length, 70)
  t.alike(roots.treeHash(), await core.treeHash())
})

test('should have another hash when a block or their order is another', (t) => {
  const hashOf = (...blocks: string[]) => {
    const roots = new MerkleRoots()
    for (const block of blocks) roots.append(Buffer.from(block))
    return roots.treeHash().toString('hex')
  }
  const hashes = [
    hashOf('a', 'b', 'c'),
    hashOf('a', 'c', 'b'),
    hashOf('a', 'b', 'C'),
    hashOf('a', 'b'),
    hashOf('ab', 'c'),
    hashOf('a', 'b', 'c', ''),
  ]
  t.is(new Set(hashes).size, hashes.length)
})
