import test from 'brittle'
import { SlotPool } from '../../../facilities/engine/slot-pool.js'

const FOREVER = new AbortController().signal

test('should give a slot to who waits longest when one is released', async (t) => {
  const pool = new SlotPool(['only'], 8)
  const order: string[] = []
  const slot = await pool.acquire(FOREVER)
  const first = pool.acquire(FOREVER).then(() => order.push('first'))
  const second = pool.acquire(FOREVER).then(() => order.push('second'))
  pool.release(slot)
  await first
  t.alike(order, ['first'])
  pool.release(slot)
  await second
  t.alike(order, ['first', 'second'])
})

test('should pass over who gave up when a slot is released', async (t) => {
  const pool = new SlotPool(['only'], 8)
  const slot = await pool.acquire(FOREVER)
  const cancel = new AbortController()
  const waiting = pool.acquire(cancel.signal)
  const patient = pool.acquire(FOREVER)
  cancel.abort(new Error('gave up'))
  await t.exception(waiting, /gave up/)
  pool.release(slot)
  t.is(await patient, 'only')
})

test('should refuse with OVERLOADED when the line is full', async (t) => {
  const pool = new SlotPool(['only'], 1)
  const slot = await pool.acquire(FOREVER)
  const waiting = pool.acquire(FOREVER)
  await t.exception(pool.acquire(FOREVER), { code: 'OVERLOADED' })
  pool.release(slot)
  await waiting
})

test('should refuse when the signal was aborted before', async (t) => {
  const pool = new SlotPool(['only'], 1)
  await t.exception(pool.acquire(AbortSignal.abort(new Error('too late'))), /too late/)
  t.is(await pool.acquire(FOREVER), 'only')
})
