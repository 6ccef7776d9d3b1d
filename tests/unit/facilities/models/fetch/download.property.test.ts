import test from 'brittle'
import fc from 'fast-check'
import { isStarlingError } from '../../../../../helpers/errors/starling-error.js'
import {
  CONTENT,
  DownloadScene,
  FILE,
  OTHER_CONTENT,
  sha256,
} from '../../../../helpers/models/download-scene.js'
import {
  type Answering,
  ScriptedFetch,
  serving,
  status,
  unreachable,
} from '../../../../helpers/models/scripted-fetch.js'
import { ensure, holds } from '../../../../helpers/property.js'

/** One answer of a server that has the one file or the other, with or without what tells them apart. */
const answer: fc.Arbitrary<Answering> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(unreachable, status(503), status(416)) },
  {
    weight: 4,
    arbitrary: fc
      .record({
        isOther: fc.boolean(),
        validator: fc.constantFrom('etag', 'last-modified', 'none'),
        breaksAfter: fc.option(fc.nat(10_000), { nil: Infinity }),
        ignoresRange: fc.boolean(),
        ignoresCondition: fc.boolean(),
        hidesLength: fc.boolean(),
      })
      .map(({ isOther, validator, ignoresCondition, ...faults }): Answering => {
        const state = isOther ? '"two"' : '"one"'
        const headers: Record<string, string> = validator === 'none' ? {} : { [validator]: state }
        const serve = serving({ content: isOther ? OTHER_CONTENT : CONTENT, headers, ...faults })
        return (request) => {
          const { 'if-range': _, ...unconditional } = request.headers
          return serve(ignoresCondition ? { ...request, headers: unconditional } : request)
        }
      }),
  },
)

/** Processes that download one after the other, each with the answers that it gets. */
const processes = fc.array(fc.array(answer, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 3,
})

test('should give a complete file or a typed error for any behaviour of the server', async (t) => {
  // 10,000 examples take half a minute.
  t.timeout(120_000)
  await holds(
    t,
    fc.asyncProperty(processes, fc.boolean(), async (schedule, isHashKnown) => {
      const scene = new DownloadScene(500)
      for (const answers of schedule) {
        const expectedSha256 = isHashKnown ? sha256(CONTENT) : undefined
        try {
          const got = await scene.download(new ScriptedFetch(...answers), { expectedSha256 })
          const stored = scene.storage.content(FILE)
          ensure(
            stored !== undefined && sha256(stored) === got.sha256,
            'what is stored is what is said',
          )
          const whole = isHashKnown ? [CONTENT] : [CONTENT, OTHER_CONTENT]
          ensure(
            whole.some((file) => file.equals(stored)),
            'a mixture of two files',
          )
          ensure(scene.storage.names().join() === FILE, 'something is left')
          await scene.storage.remove(FILE)
        } catch (error) {
          if (!isStarlingError(error, 'MODEL_UNREACHABLE', 'MODEL_INVALID')) throw error
          ensure(scene.storage.content(FILE) === undefined, 'a file in spite of an error')
        }
        ensure(scene.clock.pending === 0, 'a timer is left')
      }
    }),
    40,
  )
})
