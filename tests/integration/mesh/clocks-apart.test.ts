import test, { type Test } from 'brittle'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { createAccount } from '../../helpers/factory.js'
import { readAll } from '../../helpers/network/call-service.js'
import { rejectionOf } from '../../helpers/until.js'
import { LocalWorkers } from '../../helpers/workers/local-workers.js'

const ADA = createAccount()
const HOUR_MS = 60 * 60 * 1000
const never = new AbortController().signal
const question = { messages: [{ role: 'user' as const, content: 'what time is it' }] }

/** A mesh in which the clock of one role is an hour off, and a client that has logged in there. */
async function scene(t: Test, role: Role, aheadMs: number) {
  const mesh = await LocalWorkers.create(t, { aheadMs: { [role]: aheadMs } })
  const [client] = await Promise.all([
    mesh.client(),
    mesh.auth(),
    mesh.gateway(),
    mesh.processor(new ScriptedEngine()),
  ])
  await client.accounts.register(ADA, never)
  return client
}

const unharmed: [role: Role, aheadMs: number][] = [
  ['client', HOUR_MS],
  ['client', -HOUR_MS],
  ['processor', HOUR_MS],
  ['processor', -HOUR_MS],
  ['gateway', HOUR_MS],
  ['auth', -HOUR_MS],
]
for (const [role, aheadMs] of unharmed) {
  const where = `an hour ${aheadMs > 0 ? 'ahead' : 'behind'}`
  test(`should answer when the clock of the ${role} is ${where}`, async (t) => {
    const client = await scene(t, role, aheadMs)
    const { chunks } = await readAll(client.ask(question, never))
    t.is(chunks.map(({ text }) => text).join(''), 'what time is it')
    const { email } = await client.accounts.session(never)
    t.is(email, ADA.email, 'the session is kept')
  })
}

const blamed: [role: Role, aheadMs: number][] = [
  ['auth', HOUR_MS],
  ['gateway', -HOUR_MS],
]
for (const [role, aheadMs] of blamed) {
  const where = `an hour ${aheadMs > 0 ? 'ahead' : 'behind'}`
  test(`should admit users and then report the clock difference when the clock of the ${role} is ${where}`, async (t) => {
    const client = await scene(t, role, aheadMs)
    const error = await rejectionOf(client.ask(question, never).next())
    if (!isStarlingError(error, 'CLOCKS_DIFFER')) throw error
    const [openedAt, gatewayAt] = error.message.match(/\d{4}-[\dT:-]+Z/g) ?? []
    const apartMs = Date.parse(openedAt ?? '') - Date.parse(gatewayAt ?? '')
    t.ok(Math.abs(apartMs - HOUR_MS) < 60_000, error.message)
    t.ok(error.whatToDo.includes('clocks'))
    t.absent(error.retryable)
  })
}
