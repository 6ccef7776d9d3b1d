import test from 'brittle'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  CrashDelays,
  FIRST_CRASH_DELAY_MS,
  FORGET_CRASHES_AFTER_MS,
  MAX_CRASH_DELAY_MS,
  MAX_CRASHING_USERS,
} from '../../../../workers/gateway/crash-delays.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { failingAnswer } from '../../../helpers/network/answer-stand-in.js'
import { readAll } from '../../../helpers/network/call-service.js'
import { gatewayScene } from '../../../helpers/workers/gateway-scene.js'

function scene() {
  const clock = new VirtualClock()
  const delays = new CrashDelays(clock)
  /** How long a user has to wait, in milliseconds. */
  const waitMs = (userId: string) => {
    try {
      delays.assertOver(userId)
      return 0
    } catch (error) {
      return Object(error).retryAfterMs
    }
  }
  return { clock, delays, waitMs }
}

test('should delay a user twice as long after each further crash', async (t) => {
  const { clock, delays, waitMs } = scene()
  for (const delayMs of [1_000, 2_000, 4_000, 8_000]) {
    delays.crashed('ada')
    t.is(waitMs('ada'), delayMs)
    t.is(waitMs('bob'), 0, 'no other user')
    await clock.advance(delayMs)
    t.is(waitMs('ada'), 0)
  }
  for (let crash = 0; crash < 20; crash += 1) {
    await clock.advance(FIRST_CRASH_DELAY_MS)
    delays.crashed('ada')
  }
  t.is(waitMs('ada'), MAX_CRASH_DELAY_MS)
})

test('should count several answers that end with the same crash as one', (t) => {
  const { delays, waitMs } = scene()
  for (let answer = 0; answer < 5; answer += 1) delays.crashed('ada')
  t.is(waitMs('ada'), 1_000)
})

test('should not delay a user for long when the requests of another user crash the engine', async (t) => {
  const { clock, delays, waitMs } = scene()
  for (let crash = 0; crash < 10; crash += 1) {
    delays.crashed('ada')
    t.ok(waitMs('ada') <= 1_000)
    await clock.advance(FIRST_CRASH_DELAY_MS)
    delays.answered('ada')
  }
})

test('should forget crashes after an hour, and keep a limited number of users', async (t) => {
  const { clock, delays, waitMs } = scene()
  delays.crashed('ada')
  await clock.advance(FIRST_CRASH_DELAY_MS)
  delays.crashed('ada')
  await clock.advance(FORGET_CRASHES_AFTER_MS)
  delays.crashed('ada')
  t.is(waitMs('ada'), 1_000)
  for (let user = 0; user < MAX_CRASHING_USERS; user += 1) delays.crashed(`user ${user}`)
  t.is(delays.users, MAX_CRASHING_USERS)
  t.is(waitMs('ada'), 0, 'whose last crash is oldest')
})

test('should delay the next request of a user whose request crashed an engine, but not those of others', async (t) => {
  const { infer, connectAuth, connectProcessor, sessionOf, session, clock } = await gatewayScene(t)
  connectAuth()
  const { connection } = await connectProcessor()
  const crashNext = () => {
    const answer = failingAnswer(1, new StarlingError('ENGINE_CRASHED', 'crashed'))
    connection.relay.onCall(connection.relay.callCount).returns(answer)
  }
  crashNext()
  await t.exception(readAll(infer()), { code: 'ENGINE_CRASHED' })
  const asked = connection.relay.callCount
  await t.exception(readAll(infer()), { code: 'RATE_LIMITED', retryAfterMs: 1_000 })
  t.is(connection.relay.callCount, asked, 'no processor is asked')
  await readAll(infer({ credential: sessionOf('usr_2') }))
  await clock.advance(1_000)
  await readAll(infer())
  const owner = { credential: session(true) }
  crashNext()
  await t.exception(readAll(infer(owner)), { code: 'ENGINE_CRASHED' })
  await readAll(infer(owner))
})
