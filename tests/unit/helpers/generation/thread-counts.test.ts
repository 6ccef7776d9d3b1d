import test from 'brittle'
import { threadCounts } from '../../../../helpers/generation/thread-counts.js'

const MEBIBYTE = 2 ** 20

test('should leave a processor to others when a model is small', (t) => {
  const small = (processors: number) => threadCounts(30 * MEBIBYTE, processors)
  t.alike(small(1), [1])
  t.alike(small(2), [1])
  t.alike(small(3), [1, 2])
  t.alike(small(8), [1, 2, 4, 7])
})

test('should begin with all processors when a model is large', (t) => {
  const large = (processors: number) => threadCounts(4_000 * MEBIBYTE, processors)
  t.alike(large(1), [1])
  t.alike(large(2), [2, 1])
  t.alike(large(6), [6, 4, 2, 1])
})
