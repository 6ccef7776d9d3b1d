import test from 'brittle'
import { FairQueue } from '../../../../helpers/limits/fair-queue.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'

function drained(queue: FairQueue<string>): string[] {
  const items: string[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item)
  return items
}

test('should give the items of one owner in the order in which they came', (t) => {
  const queue = new FairQueue<string>()
  for (const item of ['a', 'b', 'c']) queue.push(['ada'], item)
  t.is(queue.size, 3)
  t.alike(drained(queue), ['a', 'b', 'c'])
  t.is(queue.size, 0)
  t.is(queue.shift(), undefined)
  t.is(queue.evict(), undefined)
})

test('should serve an owner that comes late after one item of each other', (t) => {
  const queue = new FairQueue<string>()
  for (let count = 0; count < 5; count += 1) queue.push(['one'], `one ${count}`)
  for (let count = 0; count < 5; count += 1) queue.push(['two'], `two ${count}`)
  queue.push(['late'], 'late')
  t.alike(drained(queue).slice(0, 3), ['one 0', 'two 0', 'late'])
})

test('should evict the newest item of the owner with the most at each level', (t) => {
  const queue = new FairQueue<string>()
  for (const owner of ['a', 'b', 'c']) queue.push(['many', owner], owner)
  queue.push(['many', 'b'], 'b2')
  queue.push(['few', 'd'], 'd1')
  queue.push(['few', 'd'], 'd2')
  t.is(queue.evict(), 'b2')
  t.is(queue.evict(), 'c', 'of several with the most the last in turn')
  t.alike([queue.sizeOf(['many']), queue.sizeOf(['few', 'd']), queue.size], [2, 2, 4])
})

test('should forget an owner when its last item is taken, evicted or removed', (t) => {
  const queue = new FairQueue<string>()
  queue.push(['gateway', 'ada'], 'item')
  t.absent(queue.remove(['gateway', 'bob'], 'item'))
  t.absent(queue.remove(['gateway', 'ada'], 'other'))
  t.ok(queue.remove(['gateway', 'ada'], 'item'))
  t.is(queue.size, 0)
  t.is(queue.sizeOf(['gateway']), 0)
  t.is(queue.shift(), undefined)
})

test('should hold what a plain list of items holds whatever is done with it', (t) => {
  const random = new SeededRandom(3)
  const queue = new FairQueue<string>()
  const items = new Map<string, string[]>()
  const keyOf = () => [`g${random.below(3)}`, `c${random.below(4)}`]
  for (let step = 0; step < 3_000; step += 1) {
    const path = keyOf()
    const own = items.get(path.join('/')) ?? []
    items.set(path.join('/'), own)
    const choice = random.below(5)
    if (choice < 2) {
      queue.push(path, `item ${step} of ${path.join('/')}`)
      own.push(`item ${step} of ${path.join('/')}`)
    } else if (choice === 2 && own[0] !== undefined) {
      const item = own[random.below(own.length)] ?? ''
      if (!queue.remove(path, item)) t.fail(`${item} was not there`)
      items.set(
        path.join('/'),
        own.filter((one) => one !== item),
      )
    } else {
      const item = choice === 3 ? queue.shift() : queue.evict()
      const owner = item?.split(' of ')[1] ?? ''
      const left = items.get(owner) ?? []
      const expected = choice === 3 ? left.shift() : left.pop()
      if (item !== expected) t.fail(`${item} instead of ${expected}`)
    }
    if (queue.sizeOf(path) !== (items.get(path.join('/')) ?? []).length) t.fail('a wrong size')
  }
  const all = [...items.values()].flat().sort()
  t.is(queue.size, all.length)
  t.alike(drained(queue).sort(), all)
})
