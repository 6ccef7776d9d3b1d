import test from 'brittle'
import { Service } from '../../../../facilities/network/calls/service.js'
import type { HealthProblem } from '../../../../facilities/worker/worker-health.js'
import { answerAboutWorker } from '../../../../facilities/worker/worker-watch.js'
import { ROLES } from '../../../../helpers/identity/roles.js'
import { workerProtocol } from '../../../../helpers/protocol/worker-protocol.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { callUnary, requestContext } from '../../../helpers/network/call-service.js'

const STATS = {
  calls: { answered: 3, underWay: 1 },
  streams: { answered: 2, underWay: 0 },
  failures: { OVERLOADED: 1 },
  connections: { proved: 4, unverified: 1 },
  rssBytes: 100_000_000,
  eventLoopDelayP99Ms: 1.5,
  metrics: { queueLength: 2 },
}

async function scene(problems: readonly HealthProblem[] = []) {
  const clock = new VirtualClock()
  const service = new Service()
  await clock.advance(5_000)
  answerAboutWorker(service, {
    role: 'gateway',
    identity: { name: 'gateway@here' },
    clock,
    version: '1.2.3',
    problems: () => problems,
    stats: () => STATS,
  })
  await clock.advance(61_000)
  return service
}

test('should say that it is there, who it is and what it has done when anybody of the mesh asks', async (t) => {
  const service = await scene()
  for (const role of ROLES) {
    const context = requestContext(role)
    t.alike(await callUnary(service, workerProtocol.ping, {}, context), {})
    t.alike(await callUnary(service, workerProtocol.info, {}, context), {
      role: 'gateway',
      name: 'gateway@here',
      version: '1.2.3',
      uptimeMs: 61_000,
    })
    const stats = await callUnary(service, workerProtocol.stats, {}, context)
    t.alike(stats, { uptimeMs: 61_000, ...STATS })
  }
})

test('should continue to answer when the worker is shutting down', async (t) => {
  const service = await scene()
  await service.drain()
  for (const method of Object.values(workerProtocol)) {
    t.ok(await callUnary(service, method, {}, requestContext('client')), method.name)
  }
})

test('should say what keeps the worker from its work, and nothing internal', async (t) => {
  const service = await scene([
    { code: 'DISK_FULL', message: 'The disk of /home/ada/data is full', blocks: true },
    { code: 'AUTH_UNAVAILABLE', message: 'No auth worker is connected', blocks: false },
  ])
  const info = await callUnary(service, workerProtocol.info, {}, requestContext('client'))
  t.alike(info.problems, [
    { code: 'DISK_FULL', message: 'The disk of the worker is full', blocks: true },
    { code: 'AUTH_UNAVAILABLE', message: 'No auth worker is connected', blocks: false },
  ])
})
