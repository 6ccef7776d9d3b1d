import test from 'brittle'
import { SequencePool } from '../../../../../../../facilities/engine/llama/child/generation/sequence-pool.js'
import { StarlingError } from '../../../../../../../helpers/errors/starling-error.js'

const FOREVER = new AbortController().signal

/** Remembers the characters of a text as tokens. */
class History {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  get length(): number {
    return this.text.length
  }

  commonPrefix(tokens: readonly number[]): number {
    const known = codes(this.text)
    const different = known.findIndex((token, index) => token !== tokens[index])
    return different === -1 ? known.length : different
  }
}

function codes(text: string): number[] {
  return [...Buffer.from(text)]
}

test('should give a sequence to who waits longest when one is released', async (t) => {
  const pool = new SequencePool([new History('')], 8)
  const order: string[] = []
  const sequence = await pool.acquire([], FOREVER)
  t.is(pool.taken, 1)
  const first = pool.acquire([], FOREVER).then(() => order.push('first'))
  const second = pool.acquire([], FOREVER).then(() => order.push('second'))
  pool.release(sequence)
  await first
  t.alike(order, ['first'])
  pool.release(sequence)
  await second
  t.alike(order, ['first', 'second'])
})

test('should choose the sequence that remembers most of the beginning', async (t) => {
  const pool = new SequencePool(
    ['', 'abcd', 'abcdef', 'xyz'].map((text) => new History(text)),
    8,
  )
  t.is((await pool.acquire(codes('abcdefgh'), FOREVER)).text, 'abcdef')
  t.is((await pool.acquire(codes('abcdefgh'), FOREVER)).text, 'abcd')
  t.is((await pool.acquire(codes('xyz'), FOREVER)).text, 'xyz')
})

test('should choose the one that was free longest when none remembers more', async (t) => {
  const [one, other] = [new History('aaa'), new History('bbb')]
  const pool = new SequencePool([one, other], 8)
  const first = await pool.acquire(codes('x'), FOREVER)
  t.is(first, one)
  pool.release(first)
  t.is(await pool.acquire(codes('x'), FOREVER), other)
})

test('should leave a conversation where it is when another one only begins like it', async (t) => {
  const pool = new SequencePool([new History('abcdefgh'), new History('')], 8)
  pool.release(await pool.acquire(codes('abcdefgh'), FOREVER))
  t.is((await pool.acquire(codes('abXYZ'), FOREVER)).text, '')
  t.is((await pool.acquire(codes('abcdefghi'), FOREVER)).text, 'abcdefgh')
})

test('should pass over who gave up when a sequence is released', async (t) => {
  const pool = new SequencePool([new History('')], 8)
  const sequence = await pool.acquire([], FOREVER)
  const cancel = new AbortController()
  const waiting = pool.acquire([], cancel.signal)
  const patient = pool.acquire([], FOREVER)
  cancel.abort(new Error('gave up'))
  await t.exception(waiting, /gave up/)
  pool.release(sequence)
  t.is(await patient, sequence)
})

test('should refuse with OVERLOADED when the queue is full', async (t) => {
  const pool = new SequencePool([new History('')], 1)
  const sequence = await pool.acquire([], FOREVER)
  const waiting = pool.acquire([], FOREVER)
  await t.exception(pool.acquire([], FOREVER), { code: 'OVERLOADED' })
  pool.release(sequence)
  await waiting
})

test('should refuse when the signal was aborted before', async (t) => {
  const pool = new SequencePool([new History('')], 1)
  await t.exception(pool.acquire([], AbortSignal.abort(new Error('too late'))), /too late/)
  t.is(pool.taken, 0)
})

test('should refuse who waits and who comes once it is closed', async (t) => {
  const pool = new SequencePool([new History('')], 8)
  await pool.acquire([], FOREVER)
  const waiting = pool.acquire([], FOREVER)
  pool.close(new StarlingError('DRAINING', 'closed'))
  await t.exception(waiting, { code: 'DRAINING' })
  await t.exception(pool.acquire([], FOREVER), { code: 'DRAINING' })
})
