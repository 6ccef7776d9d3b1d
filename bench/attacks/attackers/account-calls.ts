import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { createOrigin } from '../../../facilities/network/calls/request-context.js'
import { gatewayProtocol } from '../../../helpers/protocol/gateway-protocol.js'
import type { Target } from '../attacker-messages.js'
import { found } from '../honest.js'
import { meshKeysOf, newCredential, openAccountFolder, openMember } from '../member.js'
import { type Attacker, repeated, Tally } from './attacker.js'

/** Calls of each kind that are under way at once. */
const AT_ONCE = 32

/** One client that registers and logs in as fast as it can, without ever waiting when it is told to. */
export async function accountCalls(target: Target): Promise<Attacker> {
  const folder = await openAccountFolder(target)
  const member = await openMember(target, await meshKeysOf(target), folder)
  await found(member, AbortSignal.timeout(10_000))
  const clock = new SystemClock()
  const random = new SystemRandom()
  return repeated({
    atOnce: 2 * AT_ONCE,
    tally: new Tally(),
    async step(signal, index) {
      const [gateway] = member.gateways.connections
      if (gateway === undefined) throw new Error('The gateway is gone')
      const method = index % 2 === 0 ? gatewayProtocol.register : gatewayProtocol.login
      await gateway.call(method, newCredential(), { origin: createOrigin(clock, random), signal })
    },
  })
}
