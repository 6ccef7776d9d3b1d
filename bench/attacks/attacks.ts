import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Attack, AttackContext, PreparedAttack } from './attack.js'
import { FOREIGN_BOOTSTRAP_PORT } from './attackers/foreign-bootstrap.js'
import { delayedHello } from './delayed-hello.js'
import { withHostileModel } from './hostile-model.js'
import { logWatch, memoryWatch, prepareAttack } from './prepared-attack.js'
import { connectedClients, loggingInClients, newClients } from './regular-clients.js'

/** Makes the engines of a processor crash at one prompt. */
const CRASHING_ENGINE = pathToFileURL(join(import.meta.dirname, 'crashing-engine.js'))

/** Enough regular clients that none reaches its login limit. */
const LOGIN_CLIENTS = 24

/** All attacks. Each is measured on a mesh that was just started. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'a JSON schema that one text matches in 4^14 ways',
    unit: 'answers/s',
    prepare: async (context) =>
      await prepareAttack('ambiguousSchema', context, await connectedClients(context)),
  },
  {
    name: '4 answers at once with arrays nested 22 deep',
    unit: 'answers/s',
    prepare: async (context) =>
      await prepareAttack('nestedArrays', context, await connectedClients(context)),
  },
  {
    name: 'as many unread answers as one user may have',
    unit: 'answers/s',
    prepare: async (context) =>
      await prepareAttack('stalledReaders', context, await connectedClients(context)),
  },
  {
    name: '1,030 connections of one certificate',
    unit: 'first answers/s',
    async prepare(context) {
      const memory = memoryWatch(context)
      return await prepareAttack('manyConnections', context, await newClients(context), memory)
    },
  },
  {
    name: '48 connections of one certificate, each with an incomplete 2 MiB frame',
    unit: 'first answers/s',
    async prepare(context) {
      const memory = memoryWatch(context)
      return await prepareAttack('partialFrames', context, await newClients(context), memory)
    },
  },
  {
    name: 'registrations and logins in a loop, 64 at once from one client',
    unit: 'logins/s',
    async prepare(context) {
      const operation = await loggingInClients(context, LOGIN_CLIENTS)
      return await prepareAttack('accountCalls', context, operation, logWatch(context))
    },
  },
  {
    name: '200 fake gateways that stay silent',
    unit: 'first answers/s',
    async prepare(context) {
      return await prepareAttack('fakeGateways', context, await newClients(context), { atOnce: 4 })
    },
  },
  {
    name: '40 new fake gateways per second',
    unit: 'first answers/s',
    async prepare(context) {
      return await prepareAttack('newFakeGateways', context, await newClients(context), {
        atOnce: 4,
      })
    },
  },
  {
    name: '300 clients that connect at once',
    unit: 'answers/s',
    prepare: async (context) =>
      await prepareAttack('simultaneousMembers', context, await connectedClients(context)),
  },
  {
    name: '1,500 connections without a hello; regular hellos are delayed by 60 ms',
    unit: 'connections/s',
    async prepare(context) {
      const late = await delayedHello(context)
      return await prepareAttack('silentConnections', context, late.operation, {
        atOnce: 8,
        notes: late.notes,
      })
    },
  },
  {
    name: '64 strangers at once whose hello is refused',
    unit: 'answers/s',
    async prepare(context) {
      const log = logWatch(context)
      return await prepareAttack('refusedHellos', context, await connectedClients(context), log)
    },
  },
  {
    name: 'a prompt that crashes its engine, repeated for 8 s, with 2 processors',
    unit: 'answers/s',
    mesh: () => ({ processors: 2, settings: { NODE_OPTIONS: `--import ${CRASHING_ENGINE}` } }),
    // The delays of a user whose prompts crash engines grow. 2 s would show only the first crashes.
    prepare: async (context) =>
      await prepareAttack('crashingPrompt', context, await connectedClients(context), {
        phaseMs: 8_000,
      }),
  },
  {
    name: '4 requests at once for a model whose chat template never ends',
    unit: 'answers/s',
    mesh: withHostileModel,
    prepare: async (context) =>
      await prepareAttack('endlessTemplate', context, await connectedClients(context)),
  },
  {
    name: 'a stranger that holds the bootstrap port of the clients',
    unit: 'first answers/s',
    prepare: eclipse,
  },
]

/**
 * An eclipse attack: during the attack, new clients find a stranger at their bootstrap port. They are started in
 * the home of the mesh, which remembers the workers that other clients have found.
 */
async function eclipse(context: AttackContext): Promise<PreparedAttack> {
  let isAttacked = false
  const bootstrapPort = () => (isAttacked ? FOREIGN_BOOTSTRAP_PORT : context.mesh.bootstrapPort)
  const operation = await newClients(context, { bootstrapPort, remembers: true })
  const attack = await prepareAttack('foreignBootstrap', context, operation)
  return {
    ...attack,
    async start() {
      await attack.start()
      isAttacked = true
    },
    async stop() {
      isAttacked = false
      await attack.stop()
    },
  }
}
