import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Attack } from './attack.js'
import { delayedHello } from './delayed-hello.js'
import { eclipse } from './eclipse.js'
import { logWatch, memoryWatch } from './gateway-watch.js'
import { asking, coming, loggingIn } from './honest.js'
import { withHostileModel } from './hostile-model.js'
import { sceneWith } from './scene.js'

/** Makes the engines of a processor crash at one question. */
const CRASHING = pathToFileURL(join(import.meta.dirname, 'crashing-engine.js'))

/** Honest members who log in: enough that none of them reaches its own limit. */
const LOGGING_IN = 24

/** All attacks, each measured on a mesh that was just started. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'a JSON schema with 4 to the 14th readings',
    unit: 'answers/s',
    prepare: async (stage) => await sceneWith('freezingSchema', stage, await asking(stage)),
  },
  {
    name: '4 answers at once in arrays nested 22 deep',
    unit: 'answers/s',
    prepare: async (stage) => await sceneWith('nestedArrays', stage, await asking(stage)),
  },
  {
    name: 'readers that stop, as many as one user may open',
    unit: 'answers/s',
    prepare: async (stage) => await sceneWith('stalledReaders', stage, await asking(stage)),
  },
  {
    name: '1,030 connections of one certificate',
    unit: 'first answers/s',
    async prepare(stage) {
      const memory = memoryWatch(stage)
      return await sceneWith('manyConnections', stage, await coming(stage), memory)
    },
  },
  {
    name: '48 connections of one certificate, each with most of a 2 MiB frame',
    unit: 'first answers/s',
    async prepare(stage) {
      const memory = memoryWatch(stage)
      return await sceneWith('partialFrames', stage, await coming(stage), memory)
    },
  },
  {
    name: 'registrations and logins in a loop, 64 at once from one client',
    unit: 'logins/s',
    async prepare(stage) {
      const honest = await loggingIn(stage, LOGGING_IN)
      return await sceneWith('accountCalls', stage, honest, logWatch(stage))
    },
  },
  {
    name: '200 silent squatters on the topic of the gateways',
    unit: 'first answers/s',
    async prepare(stage) {
      return await sceneWith('squatters', stage, await coming(stage), { atOnce: 4 })
    },
  },
  {
    name: '40 new silent squatters a second',
    unit: 'first answers/s',
    async prepare(stage) {
      return await sceneWith('newSquatters', stage, await coming(stage), { atOnce: 4 })
    },
  },
  {
    name: '300 members who connect at once',
    unit: 'answers/s',
    prepare: async (stage) => await sceneWith('crowd', stage, await asking(stage)),
  },
  {
    name: '1,500 connections that never say hello; honest hellos come 60 ms late',
    unit: 'connections/s',
    async prepare(stage) {
      const late = await delayedHello(stage)
      return await sceneWith('silentConnections', stage, late.honest, {
        atOnce: 8,
        notes: late.notes,
      })
    },
  },
  {
    name: 'strangers whose hello is refused, 64 at once',
    unit: 'answers/s',
    async prepare(stage) {
      const log = logWatch(stage)
      return await sceneWith('refusedHellos', stage, await asking(stage), log)
    },
  },
  {
    name: 'a question that crashes its engine, again and again for 8 s, over 2 processors',
    unit: 'answers/s',
    mesh: () => ({ processors: 2, settings: { NODE_OPTIONS: `--import ${CRASHING}` } }),
    // The delays of a user whose questions crash engines grow: 2 s show only the first crashes.
    prepare: async (stage) =>
      await sceneWith('crash', stage, await asking(stage), { phaseMs: 8_000 }),
  },
  {
    name: 'a model whose chat template never ends, asked for 4 times at once',
    unit: 'answers/s',
    mesh: withHostileModel,
    prepare: async (stage) => await sceneWith('hostileModel', stage, await asking(stage)),
  },
  {
    name: 'a stranger at the bootstrap port of the clients',
    unit: 'first answers/s',
    prepare: eclipse,
  },
]
