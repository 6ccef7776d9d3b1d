import test from 'brittle'
import { pickOfTwo } from '../../../../helpers/routing/pick-of-two.js'

/** Draws these numbers, one after the other, and keeps the limits that it was asked with. */
function drawing(...numbers: number[]) {
  const limits: number[] = []
  const below = (limit: number) => {
    limits.push(limit)
    return numbers.shift() ?? 0
  }
  return { below, limits }
}

const loadOf = ({ load }: { load: number }) => load
const candidates = [{ load: 3 }, { load: 1 }, { load: 2 }]

test('should pick nobody when there is no candidate', (t) => {
  t.is(pickOfTwo([], loadOf, drawing().below), undefined)
})

test('should draw nothing when there is one candidate', (t) => {
  const { below, limits } = drawing()
  t.is(pickOfTwo(candidates.slice(0, 1), loadOf, below), candidates[0])
  t.is(limits.length, 0)
})

test('should pick the less loaded when two were drawn, in whichever order', (t) => {
  t.is(pickOfTwo(candidates, loadOf, drawing(0, 0).below), candidates[1])
  t.is(pickOfTwo(candidates, loadOf, drawing(1, 1).below), candidates[1])
  t.is(pickOfTwo(candidates, loadOf, drawing(0, 1).below), candidates[2])
  t.is(pickOfTwo(candidates, loadOf, drawing(2, 0).below), candidates[2])
})

test('should pick the first drawn when both are as loaded', (t) => {
  const equal = [{ load: 1 }, { load: 1 }]
  t.is(pickOfTwo(equal, loadOf, drawing(0, 0).below), equal[0])
  t.is(pickOfTwo(equal, loadOf, drawing(1, 0).below), equal[1])
})

test('should never compare a candidate with itself when any two are drawn', (t) => {
  const five = [0, 1, 2, 3, 4]
  const pairs = new Set<string>()
  for (const first of five) {
    for (const second of [0, 1, 2, 3]) {
      const { below, limits } = drawing(first, second)
      const compared: number[] = []
      pickOfTwo(five, (candidate) => compared.push(candidate), below)
      t.is(new Set(compared).size, 2)
      t.alike(limits, [5, 4])
      pairs.add(compared.sort().join())
    }
  }
  t.is(pairs.size, 10, 'and every pair can be drawn')
})
