import type { MemoryHost, MemoryLink } from '../../helpers/network/memory/memory-network.js'

/** What is seen of a mesh from outside: by its users, in its engines, on its network. */
export type Observation =
  /** A client asks. `tokens`: as many as a whole answer has. */
  | { readonly kind: 'asked'; readonly request: string; readonly tokens: number }
  /** A user was given a token. */
  | {
      readonly kind: 'token'
      readonly request: string
      readonly index: number
      readonly text: string
    }
  /** A user stops reading for a while, and goes on. */
  | { readonly kind: 'paused' | 'resumed'; readonly request: string }
  /** A request has ended, as its client sees it. */
  | { readonly kind: 'ended'; readonly request: string; readonly code: string }
  /** An engine begins an answer. */
  | { readonly kind: 'generating'; readonly request: string; readonly processor: string }
  /** An engine has produced a token. Not traced, because there are many. */
  | { readonly kind: 'produced'; readonly request: string }
  | { readonly kind: 'registering'; readonly email: string; readonly isFirstTime: boolean }
  | { readonly kind: 'registered'; readonly email: string; readonly code: string }
  /** Auth answers that an account was created. The answer may be lost on its way. */
  | { readonly kind: 'acknowledged'; readonly email: string }
  /** A login has ended. `sinceMs`: when it began. */
  | {
      readonly kind: 'logged-in'
      readonly email: string
      readonly code: string
      readonly sinceMs: number
    }
  | { readonly kind: 'connected'; readonly link: MemoryLink }
  | { readonly kind: 'closed'; readonly link: MemoryLink; readonly by: MemoryHost }
  /** Something happens to the mesh. `names`: the machines that it concerns; none: all. */
  | { readonly kind: 'fault'; readonly what: string; readonly names: readonly string[] }
  /** A fault is over. */
  | { readonly kind: 'mended'; readonly what: string; readonly names: readonly string[] }
  /** Something failed that never may. */
  | { readonly kind: 'failed'; readonly what: string; readonly error: unknown }

/** One line for the trace; null for what is not traced. */
export function describeObservation(observation: Observation): string | null {
  switch (observation.kind) {
    case 'asked':
      return `${observation.request} asked for ${observation.tokens} tokens`
    case 'token':
      return `${observation.request} token ${observation.index}`
    case 'paused':
    case 'resumed':
      return `${observation.request} ${observation.kind}`
    case 'ended':
      return `${observation.request} ended: ${observation.code}`
    case 'generating':
      return `${observation.request} is answered by ${observation.processor}`
    case 'produced':
      return null
    case 'registering':
      return `${observation.email} registers`
    case 'registered':
      return `${observation.email} registered: ${observation.code}`
    case 'acknowledged':
      return `${observation.email} is acknowledged`
    case 'logged-in':
      return `${observation.email} logged in: ${observation.code}`
    case 'connected':
      return `${nameOf(observation.link)} connected`
    case 'closed':
      return `${nameOf(observation.link)} closed by ${observation.by.name}`
    case 'fault':
    case 'mended':
      return `${observation.kind}: ${observation.what} ${observation.names.join(', ')}`
    case 'failed':
      return `failed: ${observation.what}: ${reasonOf(observation.error)}`
  }
}

/** Identifies a connection in a trace. */
export function nameOf({ id, initiator, responder }: MemoryLink): string {
  return `#${id} ${initiator.name}>${responder.name}`
}

/** The code of an error, or its message with its class. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? `${String(error.code)} ` : ''
  return `${error.name}: ${code}${error.message}`
}
