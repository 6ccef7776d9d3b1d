import test, { type Test } from 'brittle'
import type { EngineStatus } from '../../../../facilities/engine/engine.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { processorProtocol } from '../../../../helpers/protocol/processor-protocol.js'
import { ProcessorWorker } from '../../../../workers/processor/processor-worker.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { openStream, requestContext } from '../../../helpers/network/call-service.js'
import { settle } from '../../../helpers/until.js'
import { poolOf } from '../../../helpers/workers/offered-models.js'

/** An engine in a process of its own, as far as its worker can tell. */
class RestlessEngine extends ScriptedEngine {
  now: EngineStatus = { state: 'running', restarts: 0 }
  readonly finishLoading: () => void

  constructor() {
    let finish = () => {}
    const loaded = new Promise<void>((resolve) => {
      finish = resolve
    })
    super({ beforeLoad: () => loaded })
    this.finishLoading = finish
  }

  status(): EngineStatus {
    return this.now
  }
}

async function scene(t: Test, engine: ScriptedEngine) {
  const cleanup = new Cleanup(t)
  const service = new Service()
  const worker = new ProcessorWorker({ service, pool: poolOf(engine, { slots: 1 }) })
  cleanup.add(() => worker.close())
  await worker.ready()
  const metrics = () => Object.fromEntries(worker.metrics.map(({ name, value }) => [name, value()]))
  return { worker, service, metrics }
}

test('should say that its model is still prepared until it is loaded', async (t) => {
  const engine = new RestlessEngine()
  const { worker } = await scene(t, engine)
  const message = 'The processor is still preparing its model'
  t.alike(worker.problems(), [{ code: 'MODEL_UNAVAILABLE', message, blocks: true }])
  engine.finishLoading()
  await worker.serving()
  t.alike(worker.problems(), [])
})

test('should say that its engine has crashed until it runs again', async (t) => {
  const engine = new RestlessEngine()
  const { worker, metrics } = await scene(t, engine)
  engine.finishLoading()
  await worker.serving()
  engine.now = { state: 'stopped', restarts: 0 }
  t.alike(worker.problems(), [
    {
      code: 'ENGINE_CRASHED',
      message: 'The engine has crashed; the next request starts it again',
      // If it kept work away nothing would ever start it.
      blocks: false,
    },
  ])
  engine.now = { state: 'starting', restarts: 1 }
  t.alike(worker.problems(), [
    {
      code: 'ENGINE_CRASHED',
      message: 'The engine has crashed and is starting again',
      blocks: true,
    },
  ])
  engine.now = { state: 'running', restarts: 1 }
  t.alike(worker.problems(), [])
  t.is(metrics().engineRestarts, 1)
})

test('should need nothing more when its engine cannot crash apart from it', async (t) => {
  const { worker, metrics } = await scene(t, new ScriptedEngine())
  await worker.serving()
  t.alike(worker.problems(), [])
  t.is(metrics().engineRestarts, 0)
})

test('should report its load', async (t) => {
  let goOn = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { worker, service, metrics } = await scene(
    t,
    new ScriptedEngine({ beforeToken: () => gate }),
  )
  await worker.serving()
  const constant = {
    slots: 1,
    modelsLoaded: 1,
    memoryTakenBytes: 0,
    memoryShareBytes: Number.MAX_SAFE_INTEGER,
    threadShare: 0,
    engineRestarts: 0,
  }
  t.alike(metrics(), { ...constant, slotsBusy: 0, queueLength: 0 })
  const request = { model: 'scripted', messages: [{ role: 'user' as const, content: 'one' }] }
  const answers = [1, 2, 3].map(() =>
    openStream(service, processorProtocol.generate, request, requestContext('gateway')),
  )
  const begun = answers.map((answer) => answer.next())
  await settle()
  t.alike(metrics(), { ...constant, slotsBusy: 1, queueLength: 2 })
  goOn()
  for (const [index, answer] of answers.entries()) {
    await begun[index]
    await answer.return(undefined as never)
  }
})
