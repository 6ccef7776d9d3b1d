import { createHash } from 'node:crypto'
import test from 'brittle'
import type { Token } from 'node-llama-cpp'
import {
  type ProbedSequence,
  probeReproducibility,
} from '../../../../../../../facilities/engine/llama/child/generation/reproducibility-probe.js'
import { BatchStrategy } from '../../../../../../../facilities/engine/llama/child/model/batch-strategy.js'

/** On what, besides the tokens before it, the numbers of a position depend. */
interface Flaws {
  /** On what is evaluated at the same time. */
  readonly neighbours?: 'together' | 'always'
  /** On the chunk that the token came in: alone or with others, or on the chunk's size. */
  readonly chunks?: 'alone' | 'size'
  readonly chance?: boolean
}

/** A sequence of a model with the given flaws. */
class FlawedSequence implements ProbedSequence {
  static running = 0
  static asked = 0
  readonly #flaws: Flaws
  readonly #strategy: BatchStrategy
  #state: string[] = []

  constructor(flaws: Flaws, strategy: BatchStrategy) {
    this.#flaws = flaws
    this.#strategy = strategy
  }

  async read(tokens: readonly number[]): Promise<void> {
    const { neighbours, chunks } = this.#flaws
    FlawedSequence.running += 1
    await Promise.resolve()
    const matters = neighbours === 'always' || (neighbours !== undefined && this.#strategy.together)
    const beside = matters ? FlawedSequence.running : 1
    const cut = chunks === 'size' ? tokens.length : Number(chunks === 'alone' && tokens.length > 1)
    for (const token of tokens) this.#state.push(`${token}/${beside}/${cut}`)
    FlawedSequence.running -= 1
  }

  async next(tokens: readonly number[]) {
    await this.read(tokens)
    FlawedSequence.asked += 1
    const state = this.#state.join(' ') + (this.#flaws.chance ? FlawedSequence.asked : '')
    const token = (this.#state.length % 5) as Token
    const logit = createHash('sha256').update(state).digest().readUInt32LE()
    return { token, totalLogitWeight: 1, logits: new Map([[token, logit]]) }
  }

  async align(): Promise<number> {
    this.#state = []
    return 0
  }
}

async function probe(flaws: Flaws, count = 3) {
  const strategy = new BatchStrategy()
  const sequences = Array.from({ length: count }, () => new FlawedSequence(flaws, strategy))
  const report = await probeReproducibility(sequences, strategy, [1, 2, 3])
  return { ...report, together: strategy.together }
}

test('should promise everything of a model without flaws', async (t) => {
  t.alike(await probe({}), { reproducibility: 'exact', anyChunk: true, together: true })
  t.alike(await probe({}, 1), { reproducibility: 'exact', anyChunk: true, together: true })
})

test('should have answers take turns when neighbours change the numbers', async (t) => {
  const report = await probe({ neighbours: 'together' })
  t.alike(report, { reproducibility: 'exact', anyChunk: true, together: false })
})

test('should promise only the machine when neighbours matter even in turns', async (t) => {
  const report = await probe({ neighbours: 'always' })
  t.is(report.reproducibility, 'machine')
})

test('should resume token by token when a token alone comes out different from one in a chunk', async (t) => {
  const report = await probe({ chunks: 'alone' })
  t.alike(report, { reproducibility: 'exact', anyChunk: false, together: true })
})

test('should resume token by token when the size of a chunk changes the numbers', async (t) => {
  const report = await probe({ chunks: 'size' })
  t.alike(report, { reproducibility: 'exact', anyChunk: false, together: true })
})

test('should promise nothing when the numbers are others each time', async (t) => {
  t.is((await probe({ chance: true })).reproducibility, 'none')
})

test('should promise nothing when there is nothing to try', async (t) => {
  t.is((await probe({}, 0)).reproducibility, 'none')
})
