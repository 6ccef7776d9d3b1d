import test from 'brittle'
import type { BatchItem, Token } from 'node-llama-cpp'
import { BatchStrategy } from '../../../../../../../facilities/engine/llama/child/model/batch-strategy.js'

function item(tokens: number): BatchItem {
  return { tokens: Array<Token>(tokens), logits: [], evaluationPriority: 5 }
}

/** The lengths of what a batch holds. */
function batch(strategy: BatchStrategy, items: readonly BatchItem[], size = 100): number[] {
  return strategy.prioritize({ items, size }).map((one) => {
    if (one.processAmount !== one.item.tokens.length) throw new Error('cut')
    return one.processAmount
  })
}

test('should take every answer and as many whole chunks as fit, in order', (t) => {
  const strategy = new BatchStrategy()
  t.alike(batch(strategy, [item(60), item(1), item(50), item(1), item(30)]), [1, 1, 60])
  t.alike(batch(strategy, [item(50), item(1), item(30)]), [1, 50, 30])
})

test('should let no small chunk pass a large one that waits', (t) => {
  t.alike(batch(new BatchStrategy(), [item(60), item(50), item(10)]), [60])
})

test('should take one at a time when answers take turns', (t) => {
  const strategy = new BatchStrategy()
  strategy.takeTurns()
  t.absent(strategy.together)
  t.alike(batch(strategy, [item(30), item(1)]), [30])
})
