import {
  onBehalfOf,
  type RequestContext,
} from '../../../facilities/network/calls/request-context.js'
import type { Service } from '../../../facilities/network/calls/service.js'
import type { StreamAnswer } from '../../../facilities/network/calls/stream-answer.js'
import type { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { ROLES, type Role } from '../../../helpers/identity/roles.js'
import {
  type AnyStreamMethod,
  type AnyUnaryMethod,
  answererOf,
  type ChunkOf,
  type EndOf,
  type HeadOf,
  type RequestInput,
  type ResponseOf,
} from '../../../helpers/protocol/method.js'
import { createCertificate } from '../factory.js'
import { lateAnswer } from './answer-stand-in.js'
import { linkTo } from './service-link.js'

/** What a handler learns about a caller of that role. */
export function requestContext(
  role: Role,
  changes: Partial<RequestContext> = {},
): RequestContext & { readonly signal: AbortSignal } {
  return {
    requestId: 'req_1',
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    signal: new AbortController().signal,
    remainingMs: () => 10_000,
    peer: {
      publicKey: new Uint8Array(32),
      certificate: createCertificate(role),
      version: 1,
    },
    ...changes,
  }
}

/** The answer to a caller of a unary method. */
export async function callUnary<M extends AnyUnaryMethod>(
  service: Service,
  method: M,
  body: RequestInput<M>,
  context: RequestContext,
): Promise<ResponseOf<M>> {
  const connection = await linkOf(service, method, context)
  return await connection.call(method, body, onBehalfOf(context))
}

/** The answer to a caller of a stream method. */
export function openStream<M extends AnyStreamMethod>(
  service: Service,
  method: M,
  body: RequestInput<M>,
  context: RequestContext,
): StreamAnswer<ChunkOf<M>, EndOf<M>, HeadOf<M>> {
  return lateAnswer(async () => {
    const connection = await linkOf(service, method, context)
    return connection.open(method, body, onBehalfOf(context))
  })
}

/** The connections to each service, by caller; cached because a handshake takes milliseconds. */
const links = new WeakMap<Service, Map<string, Promise<OutgoingConnection>>>()

/** A connection from the calling role to the answering role. */
function linkOf(
  service: Service,
  method: AnyUnaryMethod | AnyStreamMethod,
  { peer: caller }: RequestContext,
): Promise<OutgoingConnection> {
  const role = ROLES.find((role) => role === answererOf(method)) ?? 'gateway'
  const known = links.get(service) ?? new Map<string, Promise<OutgoingConnection>>()
  links.set(service, known)
  const name = JSON.stringify([caller.certificate, Buffer.from(caller.publicKey).toString('hex')])
  const link = known.get(name) ?? linkTo(service, { caller, peer: requestContext(role).peer })
  known.set(name, link)
  return link
}

/** All chunks of a stream, and how it ends. */
export async function readAll<Chunk, End>(
  stream: AsyncGenerator<Chunk, End, void>,
): Promise<{ chunks: Chunk[]; end: End }> {
  const chunks: Chunk[] = []
  for (;;) {
    const step = await stream.next()
    if (step.done) return { chunks, end: step.value }
    chunks.push(step.value)
  }
}
