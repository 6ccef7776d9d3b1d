import test from 'brittle'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  FORGET_FAILURES_AFTER_MS,
  FREE_LOGIN_FAILURES,
  LoginDelays,
  MAX_ACCOUNTS_PER_PEER,
  MAX_FAILING_PEERS,
  MAX_LOGIN_DELAY_MS,
} from '../../../../workers/auth/login-delays.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

function scene() {
  const clock = new VirtualClock()
  const delays = new LoginDelays(clock)
  /** How long the pair has to wait, in milliseconds. */
  const delayOf = (peer: string, account: string): number => {
    try {
      delays.assertOver(peer, account)
      return 0
    } catch (error) {
      if (!isStarlingError(error, 'RATE_LIMITED')) throw error
      return error.retryAfterMs ?? Number.NaN
    }
  }
  const fail = (peer: string, account: string, times = 1) => {
    for (let time = 0; time < times; time += 1) delays.failed(peer, account)
  }
  return { clock, delays, delayOf, fail }
}

test('should double the delay from one second to 15 minutes when logins keep failing', async (t) => {
  const { clock, delays, delayOf } = scene()
  const found: number[] = []
  for (let failure = 0; failure < 16; failure += 1) {
    delays.failed('peer', 'ada')
    found.push(delayOf('peer', 'ada'))
    await clock.advance(delayOf('peer', 'ada'))
    t.is(delayOf('peer', 'ada'), 0)
  }
  const seconds = [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
  t.alike(
    found,
    seconds.map((second) => second * 1_000),
  )
})

test('should delay no other peer and no other account when a pair fails', (t) => {
  const { delayOf, fail } = scene()
  fail('mallory', 'ada', 100)
  t.is(delayOf('mallory', 'ada'), MAX_LOGIN_DELAY_MS)
  t.is(delayOf('owner', 'ada'), 0)
  t.is(delayOf('mallory', 'bob'), 0)
})

test('should forget the failures of a pair when a login succeeds or enough time has passed', async (t) => {
  const { clock, delays, delayOf, fail } = scene()
  fail('peer', 'ada', FREE_LOGIN_FAILURES + 1)
  fail('peer', 'bob', FREE_LOGIN_FAILURES + 1)
  delays.succeeded('peer', 'ada')
  t.is(delayOf('peer', 'ada'), 0)
  fail('peer', 'ada', FREE_LOGIN_FAILURES)
  t.is(delayOf('peer', 'ada'), 0)
  t.is(delayOf('peer', 'bob'), 1_000)
  await clock.advance(FORGET_FAILURES_AFTER_MS)
  fail('peer', 'bob')
  t.is(delayOf('peer', 'bob'), 0)
})

test('should count all further accounts as one when a peer tries very many', (t) => {
  const { delays, delayOf, fail } = scene()
  for (let account = 0; account < MAX_ACCOUNTS_PER_PEER; account += 1) fail('peer', `a${account}`)
  fail('peer', 'b1', FREE_LOGIN_FAILURES)
  t.is(delayOf('peer', 'b2'), 0)
  fail('peer', 'b3')
  t.is(delayOf('peer', 'b4'), 1_000)
  delays.succeeded('peer', 'b4')
  t.is(delayOf('peer', 'b4'), 1_000, 'an account of its own does not help')
  t.is(delayOf('peer', 'a1'), 0)
  t.is(delayOf('other', 'b4'), 0)
})

test('should keep no more peers than its bound, and those that failed last', async (t) => {
  const { clock, delays, delayOf, fail } = scene()
  fail('first', 'ada', FREE_LOGIN_FAILURES + 10)
  fail('second', 'ada', FREE_LOGIN_FAILURES + 10)
  for (let peer = 0; peer < MAX_FAILING_PEERS - 1; peer += 1) fail(`peer ${peer}`, 'ada')
  t.is(delays.peers, MAX_FAILING_PEERS)
  t.is(delayOf('first', 'ada'), 0)
  t.ok(delayOf('second', 'ada') > 0)
  await clock.advance(FORGET_FAILURES_AFTER_MS)
  fail('new', 'ada')
  t.is(delays.peers, 1)
})
