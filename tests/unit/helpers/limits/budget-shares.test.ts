import test from 'brittle'
import fc from 'fast-check'
import {
  type MemoryUse,
  memoryShare,
  memoryUseOf,
  memoryVerdict,
  threadShare,
} from '../../../../helpers/limits/budget-shares.js'
import { ensure, holds } from '../../../helpers/property.js'

const use = (...sizes: number[]) => memoryUseOf(sizes)

test('should let a processor that is alone have everything', (t) => {
  t.is(memoryVerdict(100, use(40, 60), []), 'granted')
  t.is(memoryVerdict(100, use(40, 61), []), 'unload')
  t.is(memoryVerdict(100, use(101), []), 'insufficient')
})

test('should keep several models of a processor within its equal share', (t) => {
  t.is(memoryVerdict(100, use(20, 30), [use()]), 'granted')
  t.is(memoryVerdict(100, use(20, 31), [use()]), 'unload', 'though the other takes nothing')
})

test('should let one model be larger than the share where the others leave room', (t) => {
  t.is(memoryVerdict(100, use(80), [use(20)]), 'granted')
  t.is(memoryVerdict(100, use(80), [use(21)]), 'insufficient')
  t.is(memoryVerdict(100, use(60), [use(60)]), 'insufficient', 'two such models do not fit')
})

test('should let a newcomer wait for what the others have above their share', (t) => {
  // Taken when the other was alone: it keeps its share and gives 40 back.
  t.is(memoryVerdict(100, use(40), [use(30, 30, 30)]), 'wait')
  t.is(memoryVerdict(100, use(20, 20), [use(30, 30, 30)]), 'wait', 'with several models, too')
  t.is(memoryVerdict(100, use(50), [use(30, 30, 30)]), 'wait')
  t.is(memoryVerdict(100, use(51), [use(30, 30, 30)]), 'insufficient', 'more is its own')
  t.is(memoryVerdict(100, use(40), [use(90)]), 'insufficient', 'its one model stays')
})

test('should divide threads so that all of them are used, and each has one', (t) => {
  const shares = (threads: number, count: number) =>
    Array.from({ length: count }, (_, place) => threadShare(threads, count, place))
  t.alike(shares(8, 1), [8])
  t.alike(shares(8, 2), [4, 4])
  t.alike(shares(8, 3), [3, 3, 2])
  t.alike(shares(2, 3), [1, 1, 1])
})

test('should never grant more than there is, whoever asks in whatever order', async (t) => {
  const step = fc.record({
    who: fc.nat(3),
    sizes: fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 4 }),
  })
  await holds(
    t,
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 30 }),
      (count, steps) => {
        const uses: MemoryUse[] = Array.from({ length: count }, () => use())
        for (const { who, sizes } of steps) {
          const place = who % count
          const others = uses.filter((_, index) => index !== place)
          const wanted = memoryUseOf(sizes)
          const verdict = memoryVerdict(100, wanted, others)
          if (verdict === 'granted') uses[place] = wanted
          const taken = uses.reduce((sum, { takenBytes }) => sum + takenBytes, 0)
          ensure(taken <= 100, `${taken} of 100 are taken`)
          const isFair = wanted.takenBytes <= memoryShare(100, count)
          ensure(
            verdict !== 'unload' || !isFair || sizes.length > 1,
            'one model has nothing to unload',
          )
        }
      },
    ),
    300,
  )
})
