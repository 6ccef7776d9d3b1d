import test from 'brittle'
import type { BatchItem, Token } from 'node-llama-cpp'
import { BatchStrategy } from '../../../facilities/engine/batch-strategy.js'

function item(tokens: number): BatchItem {
  return { tokens: Array<Token>(tokens), logits: [], evaluationPriority: 5 }
}

/** The lengths of what a batch holds, once it is not put off any more. */
function batch(strategy: BatchStrategy, items: readonly BatchItem[], size = 100): number[] {
  for (let attempt = 0; attempt < 100; attempt++) {
    const chosen = strategy.prioritize({ items, size })
    if (chosen.length === 0) continue
    if (chosen.some((one) => one.processAmount !== one.item.tokens.length)) throw new Error('cut')
    return chosen.map((one) => one.item.tokens.length)
  }
  throw new Error('never chosen')
}

test('should take every answer and as many whole chunks as fit, in order', (t) => {
  const strategy = new BatchStrategy()
  t.alike(batch(strategy, [item(60), item(1), item(50), item(1), item(30)]), [1, 1, 60])
  t.alike(batch(strategy, [item(50), item(1), item(30)]), [1, 50, 30])
})

test('should let no small chunk pass a large one that waits', (t) => {
  t.alike(batch(new BatchStrategy(), [item(60), item(50), item(10)]), [60])
})

test('should wait a bounded number of turns for the answers of the last batch', (t) => {
  const strategy = new BatchStrategy()
  t.is(strategy.prioritize({ items: [item(1), item(1), item(1)], size: 100 }).length, 3)
  t.is(strategy.prioritize({ items: [item(1)], size: 100 }).length, 0)
  t.is(strategy.prioritize({ items: [item(1), item(1), item(1)], size: 100 }).length, 3)
  t.alike(batch(strategy, [item(1)]), [1])
  t.is(strategy.prioritize({ items: [item(1)], size: 100 }).length, 1)
})

test('should take one at a time when answers take turns', (t) => {
  const strategy = new BatchStrategy()
  strategy.takeTurns()
  t.absent(strategy.together)
  t.alike(batch(strategy, [item(30), item(1)]), [30])
})
