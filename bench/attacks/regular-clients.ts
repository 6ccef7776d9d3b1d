import { once } from 'node:events'
import type { ClientFolder } from '../../facilities/home/client-folder.js'
import type { ClientWorker } from '../../workers/client/client-worker.js'
import { ANSWER_OPTIONS } from '../answer-options.js'
import type { AttackContext } from './attack.js'
import { type Member, meshKeysOf, newCredential, openAccountFolder, openMember } from './member.js'

/** The length of an answer to a regular client. */
const ANSWER_TOKENS = 16

/**
 * Regular clients act for many users, because the workers run with their default settings: no user should reach
 * its rate limit.
 */
const USERS = 80
/** How many users one client may register in an hour. */
const USERS_PER_CLIENT = 10

/** An operation of a regular client. @returns the time to its first answer, in milliseconds */
export type Operation = (signal: AbortSignal) => Promise<number>

/** Sends a prompt and reads the answer. @returns the time to the first token, in milliseconds */
async function ask(client: ClientWorker, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  let firstMs = 0
  const messages = [{ role: 'user' as const, content: 'What is the sea?' }]
  const options = { ...ANSWER_OPTIONS, maxTokens: ANSWER_TOKENS }
  for await (const _token of client.ask({ messages, options }, signal)) {
    if (firstMs === 0) firstMs = performance.now() - startedAt
  }
  return firstMs
}

/** Connected clients that send one prompt after the other. */
export async function connectedClients(context: AttackContext): Promise<Operation> {
  const { mesh } = context
  const member = await openMember(mesh, await meshKeysOf(mesh), await openAccountFolder(mesh))
  context.cleanup(() => member.close())
  const clients = (await registeredUsers(context)).map((folder) => member.as(folder))
  const next = inTurn(clients)
  return (signal) => ask(next(), signal)
}

/**
 * New clients. Each operation is a client with a new key that finds the gateway, sends a prompt and disconnects.
 */
export async function newClients(
  context: AttackContext,
  options: {
    readonly bootstrapPort?: () => number
    /** Whether they use the remembered workers in the home of the mesh. Default: false. */
    readonly remembers?: boolean
  } = {},
): Promise<Operation> {
  const { bootstrapPort = () => context.mesh.bootstrapPort, remembers = false } = options
  const keys = await meshKeysOf(context.mesh)
  const next = inTurn(await registeredUsers(context))
  return async (signal) => {
    const startedAt = performance.now()
    const place = {
      bootstrapPort: bootstrapPort(),
      ...(remembers && { peersHome: context.mesh.home }),
    }
    const member = await openMember(place, keys, next())
    try {
      const openedMs = performance.now() - startedAt
      return openedMs + (await ask(member.client, signal))
    } finally {
      await member.close()
    }
  }
}

/** Clients that log in, taking turns, so that none exceeds its login limit. */
export async function loggingInClients(
  context: AttackContext,
  members: number,
): Promise<Operation> {
  const keys = await meshKeysOf(context.mesh)
  const users: { member: Member; credential: ReturnType<typeof newCredential> }[] = []
  for (let index = 0; index < members; index += 1) {
    const member = await openMember(context.mesh, keys, await openAccountFolder(context.mesh))
    context.cleanup(() => member.close())
    const credential = newCredential()
    await member.client.accounts.register(credential, context.signal)
    users.push({ member, credential })
  }
  const next = inTurn(users)
  return async (signal) => {
    const { member, credential } = next()
    const startedAt = performance.now()
    await member.client.accounts.login(credential, signal)
    return performance.now() - startedAt
  }
}

/** The users of the regular clients. They are registered at the first attack and stay logged in. */
async function registeredUsers({ mesh, signal }: AttackContext): Promise<ClientFolder[]> {
  const keys = await meshKeysOf(mesh)
  const names = Array.from({ length: USERS }, (_, index) => `regular-${index}`)
  const folders = await Promise.all(names.map((name) => openAccountFolder(mesh, name)))
  if ((await folders.at(-1)?.session()) !== undefined) return folders
  const register = async (own: readonly ClientFolder[]) => {
    const member = await openMember(mesh, keys, await openAccountFolder(mesh))
    try {
      for (const folder of own) {
        await member.as(folder).accounts.register(newCredential(), signal)
      }
    } finally {
      await member.close()
    }
  }
  const starts = Array.from({ length: USERS / USERS_PER_CLIENT }, (_, i) => i * USERS_PER_CLIENT)
  await Promise.all(starts.map((start) => register(folders.slice(start, start + USERS_PER_CLIENT))))
  return folders
}

/** Returns the items in turn, endlessly. */
function inTurn<T>(all: readonly T[]): () => T {
  let turn = 0
  return () => {
    const next = all[turn++ % all.length]
    if (next === undefined) throw new Error('No items')
    return next
  }
}

/** Resolves when the member is connected to a gateway. */
export async function gatewayFound({ gateways }: Member, signal: AbortSignal): Promise<void> {
  if (gateways.connections.length === 0) await once(gateways, 'connected', { signal })
}
