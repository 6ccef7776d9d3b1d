import test from 'brittle'
import {
  LOGINS_PER_REGISTRATION,
  type TurnKind,
  WaitingLine,
  type WaitingLineOptions,
} from '../../../../workers/auth/waiting-line.js'
import { settle } from '../../../helpers/until.js'

/** A line, and actions in it that end one by one, when told. */
function scene(changes: Partial<WaitingLineOptions> = {}) {
  const line = new WaitingLine({
    concurrent: 2,
    places: 10,
    placesPerAsker: 10,
    typicalMs: 25,
    ...changes,
  })
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const run = (
    id: string,
    client = 'ada',
    options: { kind?: TurnKind; gateway?: string; signal?: AbortSignal } = {},
  ) => {
    const { kind = 'login', gateway = 'gateway', signal } = options
    const action = async () => {
      started.push(id)
      await new Promise<void>((resolve) => ends.set(id, resolve))
      return id
    }
    return line.run(action, { kind, asker: [gateway, client], signal })
  }
  const register = (id: string, client = 'ada') => run(id, client, { kind: 'registration' })
  const end = async (...ids: string[]) => {
    for (const id of ids) {
      ends.get(id)?.()
      await settle()
    }
  }
  /** Ends what runs, the oldest first, until nothing runs. */
  const finish = async () => {
    for (let index = 0; index < started.length; index += 1) await end(started[index] ?? '')
  }
  return { line, started, run, register, end, finish }
}

test('should run no more at once than allowed when many come', async (t) => {
  const { line, started, run, end } = scene()
  const all = Promise.all(['1', '2', '3', '4'].map((id) => run(id)))
  t.alike(started, ['1', '2'])
  t.is(line.waiting, 2)
  await end('2')
  t.alike(started, ['1', '2', '3'])
  t.is(line.running, 2)
  await end('1', '3', '4')
  t.alike(await all, ['1', '2', '3', '4'])
  t.is(line.running, 0)
  t.is(line.waiting, 0)
})

test('should say when to come back when the line is full', async (t) => {
  const { run, finish } = scene({ places: 3 })
  const all = ['1', '2', '3', '4', '5'].map((id) => run(id))
  await t.exception(run('6'), { code: 'OVERLOADED', retryAfterMs: 38 })
  await finish()
  t.alike(await Promise.all(all), ['1', '2', '3', '4', '5'])
})

test('should leave the line when the caller gives up', async (t) => {
  const { line, started, run, finish } = scene({ concurrent: 1, places: 1 })
  const first = run('1')
  const controller = new AbortController()
  const { signal } = controller
  const second = run('2', 'ada', { signal })
  const gone = new Error('gone')
  controller.abort(gone)
  await t.exception(second, gone)
  await t.exception(run('3', 'ada', { signal }), gone)
  const fourth = run('4')
  await finish()
  await Promise.all([first, fourth])
  t.alike(started, ['1', '4'])
  t.is(line.running, 0)
})

test('should go on when an action fails', async (t) => {
  const { line } = scene({ concurrent: 1 })
  const turn = { kind: 'login' as const, asker: ['gateway', 'ada'] }
  const failing = line.run(() => Promise.reject(new Error('no')), turn)
  const next = line.run(async () => 'yes', turn)
  await t.exception(failing, /no/)
  t.is(await next, 'yes')
  t.is(line.running, 0)
})

test('should take clients in turns when one of them asks for much', async (t) => {
  const { started, run, finish } = scene({ concurrent: 1 })
  const all = ['m1', 'm2', 'm3', 'm4'].map((id) => run(id, 'mallory'))
  all.push(run('a1', 'ada'), run('b1', 'bob'), run('a2', 'ada'))
  await finish()
  t.alike(started, ['m1', 'm2', 'a1', 'b1', 'm3', 'a2', 'm4'])
  await Promise.all(all)
})

test('should take gateways in turns when one of them asks for many clients', async (t) => {
  const { started, run, finish } = scene({ concurrent: 1 })
  const all = ['1', '2', '3', '4'].map((id) => run(`m${id}`, id, { gateway: 'rogue' }))
  all.push(run('a1', 'ada'), run('b1', 'bob'))
  await finish()
  t.alike(started, ['m1', 'm2', 'a1', 'm3', 'b1', 'm4'])
  await Promise.all(all)
})

test('should refuse a client that waits for too much and keep the places of others', async (t) => {
  const { run, finish } = scene({ concurrent: 1, placesPerAsker: 2 })
  const all = ['1', '2', '3'].map((id) => run(id, 'mallory'))
  await t.exception(run('4', 'mallory'), { code: 'OVERLOADED' })
  all.push(run('5', 'ada'))
  await finish()
  t.alike(await Promise.all(all), ['1', '2', '3', '5'])
})

test('should drop the newest call of whoever has most when the line is full', async (t) => {
  const { run, finish } = scene({ concurrent: 1, places: 3 })
  const first = run('1', 'mallory')
  const kept = [run('2', 'mallory'), run('3', 'mallory')]
  const dropped = t.exception(run('4', 'mallory'), { code: 'OVERLOADED' })
  const ada = run('5', 'ada')
  await dropped
  await t.exception(run('6', 'mallory'), { code: 'OVERLOADED' })
  await finish()
  t.alike(await Promise.all([first, ...kept, ada]), ['1', '2', '3', '5'])
})

test('should start every login before the registrations when both wait', async (t) => {
  const { started, run, register, finish } = scene({ concurrent: 1, places: 20 })
  const all = [run('0')]
  for (const id of ['r1', 'r2']) all.push(register(id))
  for (const id of ['l1', 'l2', 'l3']) all.push(run(id))
  await finish()
  t.alike(started, ['0', 'l1', 'l2', 'l3', 'r1', 'r2'])
  await Promise.all(all)
})

test('should leave a place for a login when registrations take all that they may', async (t) => {
  const { line, started, run, register, finish } = scene({ concurrent: 3 })
  const all = ['r1', 'r2', 'r3', 'r4'].map((id) => register(id))
  t.is(line.running, 2)
  all.push(run('l1'))
  t.alike(started, ['r1', 'r2', 'l1'], 'at once')
  await finish()
  t.alike(started, ['r1', 'r2', 'l1', 'r3', 'r4'])
  await Promise.all(all)
})

test('should have places for logins when registrations have taken all of theirs', async (t) => {
  const { run, register, finish } = scene({ concurrent: 1, places: 2 })
  const all = ['r1', 'r2', 'r3'].map((id) => register(id))
  await t.exception(register('r4'), { code: 'OVERLOADED' })
  all.push(run('l1'), run('l2'))
  await finish()
  t.alike(await Promise.all(all), ['r1', 'r2', 'r3', 'l1', 'l2'])
})

test('should start a registration from time to time when logins never end', async (t) => {
  const { started, run, register, end } = scene({ concurrent: 1 })
  const all = [run('login 0'), register('r1'), register('r2')]
  for (let count = 1; !started.includes('r2'); count += 1) {
    all.push(run(`login ${count}`, `client ${count % 3}`))
    await end(started.at(-1) ?? '')
    if (count > 100) throw new Error('registrations wait for ever')
  }
  const [first, second] = [started.indexOf('r1'), started.indexOf('r2')]
  t.ok(first <= LOGINS_PER_REGISTRATION + 1, `${first} logins before the first`)
  t.is(second - first, LOGINS_PER_REGISTRATION + 1)
  while (started.length < all.length) await end(started.at(-1) ?? '')
  await end(started.at(-1) ?? '')
  await Promise.all(all)
})
