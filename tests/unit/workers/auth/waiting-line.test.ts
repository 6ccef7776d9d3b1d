import test from 'brittle'
import { WaitingLine } from '../../../../workers/auth/waiting-line.js'
import { settle } from '../../../helpers/until.js'

/** Actions that end one by one, when told. */
function heldActions() {
  const started: number[] = []
  const ends = new Map<number, () => void>()
  return {
    started,
    action: (id: number) => async () => {
      started.push(id)
      await new Promise<void>((resolve) => ends.set(id, resolve))
      return id
    },
    end: async (id: number) => {
      ends.get(id)?.()
      await settle()
    },
  }
}

test('should run no more at once than allowed when many come', async (t) => {
  const line = new WaitingLine({ concurrent: 2, places: 10, typicalMs: 25 })
  const held = heldActions()
  const all = Promise.all([1, 2, 3, 4].map((id) => line.run(held.action(id))))
  t.alike(held.started, [1, 2])
  t.is(line.waiting, 2)
  await held.end(2)
  t.alike(held.started, [1, 2, 3])
  t.is(line.running, 2)
  for (const id of [1, 3, 4]) await held.end(id)
  t.alike(await all, [1, 2, 3, 4])
  t.is(line.running, 0)
  t.is(line.waiting, 0)
})

test('should say when to come back when the line is full', async (t) => {
  const line = new WaitingLine({ concurrent: 2, places: 3, typicalMs: 25 })
  const held = heldActions()
  const all = [1, 2, 3, 4, 5].map((id) => line.run(held.action(id)))
  await t.exception(line.run(held.action(6)), { code: 'OVERLOADED', retryAfterMs: 38 })
  for (const id of [1, 2, 3, 4, 5]) await held.end(id)
  t.alike(await Promise.all(all), [1, 2, 3, 4, 5])
})

test('should leave the line when the caller gives up', async (t) => {
  const line = new WaitingLine({ concurrent: 1, places: 1, typicalMs: 25 })
  const held = heldActions()
  const first = line.run(held.action(1))
  const controller = new AbortController()
  const second = line.run(held.action(2), controller.signal)
  const gone = new Error('gone')
  controller.abort(gone)
  await t.exception(second, gone)
  await t.exception(line.run(held.action(3), controller.signal), gone)
  const fourth = line.run(held.action(4))
  await held.end(1)
  await held.end(4)
  await Promise.all([first, fourth])
  t.alike(held.started, [1, 4])
  t.is(line.running, 0)
})

test('should go on when an action fails', async (t) => {
  const line = new WaitingLine({ concurrent: 1, places: 1, typicalMs: 25 })
  const failing = line.run(() => Promise.reject(new Error('no')))
  const next = line.run(async () => 'yes')
  await t.exception(failing, /no/)
  t.is(await next, 'yes')
  t.is(line.running, 0)
})
