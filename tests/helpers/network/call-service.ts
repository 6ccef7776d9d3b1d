import type { RequestContext } from '../../../facilities/network/calls/request-context.js'
import type { Service } from '../../../facilities/network/calls/service.js'
import type { Role } from '../../../helpers/identity/roles.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  RequestInput,
  ResponseOf,
} from '../../../helpers/protocol/method.js'
import { createCertificate } from '../factory.js'

/** What a handler is told of a caller of that role. */
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

/** What a caller of a unary method is answered, held against the contract. */
export async function callUnary<M extends AnyUnaryMethod>(
  service: Service,
  method: M,
  body: RequestInput<M>,
  context: RequestContext,
): Promise<ResponseOf<M>> {
  const bound = [...service.unaryMethods].find((one) => one.method.name === method.name)
  if (bound === undefined) throw new Error(`${method.name} is not answered`)
  return method.response.parse(await bound.answer(body, context)) as ResponseOf<M>
}

/** What a caller of a stream method is answered, held against the contract. */
export async function* openStream<M extends AnyStreamMethod>(
  service: Service,
  method: M,
  body: RequestInput<M>,
  context: RequestContext,
): AsyncGenerator<ChunkOf<M>, EndOf<M>, void> {
  const chunks = service.streamNamed(method.name).answer(body, context)
  try {
    for (;;) {
      const step = await chunks.next()
      if (step.done) return method.end.parse(step.value) as EndOf<M>
      yield method.chunk.parse(step.value) as ChunkOf<M>
    }
  } finally {
    await chunks.return(undefined)
  }
}

/** Everything that a stream says, and how it ends. */
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
