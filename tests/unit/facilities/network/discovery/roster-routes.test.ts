import test, { type Test } from 'brittle'
import { Candidates, type Route } from '../../../../../facilities/network/discovery/candidates.js'
import { SeededRandom } from '../../../../helpers/seeded-random.js'

const publicKey = Buffer.alloc(32, 7)
const here = [{ host: '127.0.0.1', port: 1 }]

/** A worker that is on the roster: its key is known, and where it is is not. */
function scene() {
  const candidates = new Candidates(new SeededRandom(1))
  candidates.adopt([{ publicKey, addresses: [] }])
  return candidates
}

function begin(route: Route | undefined): Route {
  if (route === undefined) throw new Error('no route is due')
  const cancel = new AbortController()
  route.attempt = { cancel, isMember: undefined, isSlow: false, isTimedOut: false }
  return route
}

function addressesDue(t: Test, candidates: Candidates, expected: readonly unknown[]): void {
  t.alike(
    candidates.due(0).map(({ addresses }) => addresses),
    expected,
  )
}

test('should dial a worker by its key when only the roster names it', (t) => {
  addressesDue(t, scene(), [[]])
})

test('should dial a worker of the roster where it was found, and by its key when that fails', (t) => {
  const candidates = scene()
  candidates.hear(publicKey, here)
  addressesDue(t, candidates, [here])
  const found = begin(candidates.due(0)[0])
  addressesDue(t, candidates, [])
  found.attempt = null
  found.failures = 1
  found.retryAt = 1
  addressesDue(t, candidates, [[]])
})

test('should not dial a worker twice when it is found while it is dialled by its key', (t) => {
  const candidates = scene()
  const byKey = begin(candidates.due(0)[0])
  candidates.hear(publicKey, here)
  addressesDue(t, candidates, [])
  if (byKey.attempt !== null) byKey.attempt.isSlow = true
  addressesDue(t, candidates, [here])
})
