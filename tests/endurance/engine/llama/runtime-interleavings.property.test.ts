import test from 'brittle'
import fc from 'fast-check'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  AnswersAlone,
  CANCELLED,
  interleave,
  requestSteps,
} from '../../../helpers/engine/interleaved-requests.js'
import { openRuntime } from '../../../helpers/engine/loaded-runtime.js'
import { ensure, holds } from '../../../helpers/property.js'
import { scaled } from '../../../helpers/scale.js'

const TWO_SLOTS = { slots: 2, contextTokens: 64 }

/** Before which step the runtime is closed: mostly before none, because opening one takes long. */
const closing = fc.nat(99)

function isExpected(failure: unknown): boolean {
  if (failure === null || failure === CANCELLED) return true
  return failure instanceof StarlingError && failure.code === 'DRAINING'
}

test('should keep answers separate and leave nothing behind when requests start and end in any order', async (t) => {
  t.timeout(scaled(3_600_000))
  const reference = await openRuntime({ ...TWO_SLOTS, slots: 1 })
  const alone = await AnswersAlone.of(reference)
  await reference.close()

  let runtime = await openRuntime(TWO_SLOTS)
  const property = fc.asyncProperty(requestSteps, closing, async (steps, closeAt) => {
    let closed: Promise<void> | null = null
    const requests = await interleave(runtime, steps, (at) => {
      if (at === closeAt) closed = runtime.close()
    })
    await closed
    if (closed !== null) runtime = await openRuntime(TWO_SLOTS)
    for (const request of requests) {
      ensure(isExpected(request.failure), `failed with ${request.failure}`)
      alone.ensureBegins(request)
    }
    await alone.ensureAnswered(runtime)
  })
  await holds(t, property, scaled(250))
  await runtime.close()
})
