import test from 'brittle'
import { chooseDefaultModel } from '../../../../helpers/routing/default-model.js'

test('should be none when nobody serves any', (t) => {
  t.is(chooseDefaultModel([]), undefined)
  t.is(chooseDefaultModel([], 'gone'), undefined)
})

test('should be what most processors were given first', (t) => {
  t.is(chooseDefaultModel(['zebra', 'ant', 'zebra']), 'zebra')
  t.is(chooseDefaultModel(['zebra', 'ant', 'zebra'], 'ant'), 'zebra', 'whatever it was before')
})

test('should stay what it was when others were given first as often', (t) => {
  t.is(chooseDefaultModel(['ant', 'zebra'], 'zebra'), 'zebra')
  t.is(chooseDefaultModel(['ant', 'zebra'], 'other'), 'ant')
  t.is(chooseDefaultModel(['zebra', 'ant']), 'ant', 'in no order that processors come in')
})

test('should change once when a processor goes and comes back between two', (t) => {
  const both = ['ant', 'zebra']
  let model = chooseDefaultModel(both)
  const answered = [model]
  for (const firsts of [['zebra'], both, both, ['zebra'], both]) {
    model = chooseDefaultModel(firsts, model)
    answered.push(model)
  }
  t.alike(answered, ['ant', 'zebra', 'zebra', 'zebra', 'zebra', 'zebra'])
})
