import test from 'brittle'
import { chooseDefaultModel, leadingModels } from '../../../../helpers/routing/default-model.js'

/** The default model when these are first on one processor each. */
function choose(firsts: readonly string[], current?: string): string | undefined {
  const votes = new Map<string, number>()
  for (const model of firsts) votes.set(model, (votes.get(model) ?? 0) + 1)
  return chooseDefaultModel(leadingModels(votes), current)
}

test('should be none when no processor serves a model', (t) => {
  t.is(choose([]), undefined)
  t.is(choose([], 'gone'), undefined)
})

test('should be the first model of most processors', (t) => {
  t.is(choose(['zebra', 'ant', 'zebra']), 'zebra')
  t.is(choose(['zebra', 'ant', 'zebra'], 'ant'), 'zebra', 'whatever it was before')
})

test('should stay the same when another model is first on as many processors', (t) => {
  t.is(choose(['ant', 'zebra'], 'zebra'), 'zebra')
  t.is(choose(['ant', 'zebra'], 'other'), 'ant')
  t.is(choose(['zebra', 'ant']), 'ant', 'in no order that processors come in')
})

test('should change once when a processor goes and comes back between two', (t) => {
  const both = ['ant', 'zebra']
  let model = choose(both)
  const answered = [model]
  for (const firsts of [['zebra'], both, both, ['zebra'], both]) {
    model = choose(firsts, model)
    answered.push(model)
  }
  t.alike(answered, ['ant', 'zebra', 'zebra', 'zebra', 'zebra', 'zebra'])
})
