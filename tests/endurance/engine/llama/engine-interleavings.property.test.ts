import test from 'brittle'
import fc from 'fast-check'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import type { ErrorCode } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  AnswersAlone,
  interleave,
  requestSteps,
} from '../../../helpers/engine/interleaved-requests.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../../helpers/engine/tiny-llama.js'
import { processGone } from '../../../helpers/processes/process-gone.js'
import { ensure, holds } from '../../../helpers/property.js'
import { scaled } from '../../../helpers/scale.js'
import { until } from '../../../helpers/until.js'

/** What happens to the engine, and what requests may fail with because of it. */
const UPHEAVALS: Readonly<Record<string, readonly ErrorCode[]>> = {
  load: [],
  unload: ['DRAINING'],
  kill: ['ENGINE_CRASHED'],
  dispose: ['DRAINING', 'ENGINE_DISPOSED'],
}

/** Before which steps it happens: mostly before none, because starting again takes long. */
const upheavals = fc.array(
  fc.record({ what: fc.constantFrom(...Object.keys(UPHEAVALS)), at: fc.nat(199) }),
  { maxLength: 3 },
)

function createEngine(slots: number): LlamaEngine {
  return new LlamaEngine({
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock: new SystemClock(),
    ...{ slots, contextTokens: 64, threads: 1, gpu: false },
  })
}

/** Kills the engine's process, if it has one, and waits until the engine knows. */
async function kill(engine: LlamaEngine): Promise<void> {
  const { processId } = engine
  if (processId === null) return
  process.kill(processId, 'SIGKILL')
  await until('the crash to be noticed', () => engine.processId !== processId)
}

/** The pipes and processes that this process holds. */
function handles(): string {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => kind.startsWith('P'))
    .sort()
    .join()
}

test('should leave no process behind and keep answers separate when an engine is used and ended in any order', async (t) => {
  t.timeout(scaled(3_600_000))
  const handlesBefore = handles()
  const reference = createEngine(1)
  const alone = await AnswersAlone.of(reference)
  await reference.dispose()

  let engine = createEngine(2)
  const property = fc.asyncProperty(requestSteps, upheavals, async (steps, planned) => {
    const processIds = new Set<number>()
    const failures: unknown[] = []
    const ends: Promise<unknown>[] = []
    const follow = (end: Promise<unknown>) => {
      ends.push(end.catch((error: unknown) => failures.push(error)))
    }
    const expected = new Set<unknown>(['CANCELLED'])
    const remember = () => {
      if (engine.processId !== null) processIds.add(engine.processId)
    }
    const requests = await interleave(engine, steps, (at) => {
      remember()
      for (const { what } of planned.filter((upheaval) => upheaval.at === at)) {
        for (const code of UPHEAVALS[what] ?? []) expected.add(code)
        if (what === 'load') follow(engine.load())
        if (what === 'unload') follow(engine.unload())
        if (what === 'dispose') follow(engine.dispose())
        if (what === 'kill') follow(kill(engine))
        remember()
      }
    })
    await Promise.all(ends)
    failures.push(...requests.flatMap(({ failure }) => failure ?? []))
    for (const failure of failures) {
      const isExpected = failure instanceof StarlingError && expected.has(failure.code)
      ensure(isExpected, `failed with ${failure}`)
    }
    for (const request of requests) alone.ensureBegins(request)
    if (expected.has('ENGINE_DISPOSED')) {
      ensure(engine.processId === null, 'a process of an engine that was disposed of')
      engine = createEngine(2)
    }
    await alone.ensureAnswered(engine)
    for (const processId of processIds) {
      if (processId !== engine.processId) await processGone(processId)
    }
  })
  await holds(t, property, scaled(120))
  await engine.dispose()
  await until('no pipe and no process to be held', () => handles() === handlesBefore)
})
