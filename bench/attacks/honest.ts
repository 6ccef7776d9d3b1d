import { once } from 'node:events'
import type { ClientFolder } from '../../facilities/home/client-folder.js'
import type { ClientWorker } from '../../workers/client/client-worker.js'
import { ANSWER_OPTIONS } from '../answer-options.js'
import type { Stage } from './attack.js'
import { type Member, meshKeysOf, newCredential, openAccountFolder, openMember } from './member.js'

/** Tokens of an honest answer. */
const ANSWER_TOKENS = 16

/**
 * Honest members act for many users, so that none of them reaches the limit of questions that one user may
 * ask: the workers run with their default settings.
 */
const USERS = 80
/** As many as one client may register in an hour. */
const USERS_PER_CLIENT = 10

/** An honest operation. @returns the time to its first answer, in milliseconds */
export type Honest = (signal: AbortSignal) => Promise<number>

/** Asks a question and reads the answer. */
export async function ask(client: ClientWorker, signal: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  let firstMs = 0
  const messages = [{ role: 'user' as const, content: 'What is the sea?' }]
  const options = { ...ANSWER_OPTIONS, maxTokens: ANSWER_TOKENS }
  for await (const _token of client.ask({ messages, options }, signal)) {
    if (firstMs === 0) firstMs = performance.now() - startedAt
  }
  return firstMs
}

/** Members who are connected ask one question after the other. */
export async function asking(stage: Stage): Promise<Honest> {
  const { mesh } = stage
  const member = await openMember(mesh, await meshKeysOf(mesh), await openAccountFolder(mesh))
  stage.cleanup(() => member.close())
  const clients = (await honestUsers(stage)).map((folder) => member.as(folder))
  const next = inTurn(clients)
  return (signal) => ask(next(), signal)
}

/**
 * Members who come for the first time: each operation is a new client with a key of its own that finds the
 * gateway, asks and leaves.
 */
export async function coming(
  stage: Stage,
  options: {
    readonly bootstrapPort?: () => number
    /** Whether they share the home of the mesh, where workers that were found are remembered. */
    readonly remembers?: boolean
  } = {},
): Promise<Honest> {
  const { bootstrapPort = () => stage.mesh.bootstrapPort, remembers = false } = options
  const keys = await meshKeysOf(stage.mesh)
  const next = inTurn(await honestUsers(stage))
  return async (signal) => {
    const startedAt = performance.now()
    const place = {
      bootstrapPort: bootstrapPort(),
      ...(remembers && { peersHome: stage.mesh.home }),
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

/** Members who log in, in turn, so that none exceeds its own limit of logins. */
export async function loggingIn(stage: Stage, members: number): Promise<Honest> {
  const keys = await meshKeysOf(stage.mesh)
  const users: { member: Member; credential: ReturnType<typeof newCredential> }[] = []
  for (let index = 0; index < members; index += 1) {
    const member = await openMember(stage.mesh, keys, await openAccountFolder(stage.mesh))
    stage.cleanup(() => member.close())
    const credential = newCredential()
    await member.client.accounts.register(credential, stage.signal)
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

/** The users of the honest members, registered for the first attack and logged in for all. */
async function honestUsers({ mesh, signal }: Stage): Promise<ClientFolder[]> {
  const keys = await meshKeysOf(mesh)
  const names = Array.from({ length: USERS }, (_, index) => `honest-${index}`)
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

/** Hands out one after the other, again and again. */
function inTurn<T>(all: readonly T[]): () => T {
  let turn = 0
  return () => {
    const next = all[turn++ % all.length]
    if (next === undefined) throw new Error('There is nobody')
    return next
  }
}

/** Resolves when the member has found a gateway. */
export async function found({ gateways }: Member, signal: AbortSignal): Promise<void> {
  if (gateways.connections.length === 0) await once(gateways, 'connected', { signal })
}
