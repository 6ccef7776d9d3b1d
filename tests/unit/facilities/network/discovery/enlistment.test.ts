import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../../facilities/clock/random.js'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { Enlistment } from '../../../../../facilities/network/discovery/enlistment.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { rosterProtocol } from '../../../../../helpers/protocol/roster-protocol.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { connectionTo, PeersStandIn } from '../../../../helpers/network/peers-stand-in.js'
import { settle } from '../../../../helpers/until.js'

const MINUTE_MS = 60_000

async function scene(t: Test) {
  const clock = new VirtualClock()
  const auth = new PeersStandIn('auth')
  const sequences: number[] = []
  let calls = 0
  let isFull = false
  const service = new Service().unary(rosterProtocol.enlist, async () => {
    calls += 1
    if (isFull) throw new StarlingError('OVERLOADED', 'The roster is full')
    return { sequence: calls }
  })
  const enlistment = new Enlistment({
    auth,
    clock,
    random: Object.assign(new SystemRandom(), { fraction: () => 0.5 }),
    onSequence: (sequence) => sequences.push(sequence),
  })
  t.teardown(() => enlistment.close())
  await enlistment.ready()
  const connection = connectionTo(service, { caller: 'gateway', peer: 'auth' })
  const fill = (value: boolean) => {
    isFull = value
  }
  return { clock, auth, connection, enlistment, sequences, fill, calls: () => calls }
}

test('should enlist at each auth worker that is connected, and again every ten minutes', async (t) => {
  const { clock, auth, connection, sequences, calls } = await scene(t)
  await clock.advance(10 * MINUTE_MS)
  t.is(calls(), 0, 'nobody to tell')
  auth.connect(connection)
  await settle()
  t.is(calls(), 1)
  // The pause that has begun is the one before it was listed.
  await clock.advance(MINUTE_MS)
  const before = calls()
  await clock.advance(30 * MINUTE_MS)
  t.is(calls(), before + 3)
  t.is(sequences.length, calls())
})

test('should try again soon when the roster is full', async (t) => {
  const { clock, auth, connection, sequences, calls, fill } = await scene(t)
  fill(true)
  auth.connect(connection)
  await clock.advance(MINUTE_MS)
  t.is(calls(), 3)
  t.alike(sequences, [])
  fill(false)
  await clock.advance(MINUTE_MS / 2)
  t.is(sequences.length, 1)
})

test('should notify no listener and leave no timer when it is closed', async (t) => {
  const { clock, auth, connection, enlistment, calls } = await scene(t)
  await enlistment.close()
  auth.connect(connection)
  await settle()
  t.is(calls(), 0)
  t.is(clock.pending, 0)
})
