import { Ollama } from 'ollama'
import { TextLines } from '../../../helpers/text/text-lines.js'
import type { ModelServerClient, ServerRequest } from './model-server-client.js'
import { MAX_PART_CHARACTERS, type ServerAnswer } from './server-answer.js'
import { readJson } from './server-metadata.js'

/** One request through the `ollama` package. */
export interface OllamaCall {
  readonly client: Ollama
  /** The stream was read to its last line: its connection can be used again. */
  finish(): void
  /** Closes the connection of the stream, unless it is finished. */
  discard(): void
}

/**
 * A client for one request, because the package aborts all streams of a client together and keeps those that
 * were not read to the end. Requests go through the connections of the {@link ModelServerClient}, and answers are
 * checked against our limits first: the package has none, and prints lines that it cannot parse and requests
 * that were refused.
 *
 * @param signal closes the connection at once
 * @param hasSchema whether the request holds a JSON schema
 */
export function ollamaCall(
  server: ModelServerClient,
  signal: AbortSignal,
  { hasSchema = false }: { readonly hasSchema?: boolean } = {},
): OllamaCall {
  let stream: ServerAnswer | null = null
  const throughServer = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const answer = await server.request({
      ...requestFrom(server.url, String(input), init),
      signal,
      hasSchema,
    })
    if (!isStream(init.body)) {
      return Response.json(await readJson(answer))
    }
    answer.expect('application/x-ndjson', 'application/json')
    stream = answer
    return new Response(checkedLines(server, answer, hasSchema))
  }
  return {
    client: new Ollama({ host: server.url, fetch: throughServer }),
    finish() {
      stream?.finish(server.clock)
      stream = null
    },
    discard() {
      stream?.discard()
      stream = null
    },
  }
}

function requestFrom(
  base: string,
  url: string,
  { method, body }: RequestInit,
): Omit<ServerRequest, 'signal'> {
  // The package adds a port that the address may not have.
  const path = new URL(url).pathname.slice(new URL(base).pathname.replace(/\/$/, '').length)
  if (method !== 'POST') return { method: 'GET', path }
  return { method, path, body: String(body) }
}

function isStream(body: RequestInit['body']): boolean {
  if (typeof body !== 'string') return false
  const request: { readonly stream?: unknown } = Object(JSON.parse(body))
  return request.stream === true
}

/** The lines of a stream, read on demand. Each is JSON and not an error. */
function checkedLines(
  server: ModelServerClient,
  answer: ServerAnswer,
  hasSchema: boolean,
): ReadableStream<Uint8Array> {
  const lines = new TextLines(MAX_PART_CHARACTERS)
  const parts = answer.parts({
    clock: server.clock,
    push: (bytes) => lines.push(bytes).filter(isJson),
    end: () => lines.end().filter(isJson),
  })
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const step = await parts.next()
        if (step.done) return controller.close()
        const { error }: { readonly error?: unknown } = Object(JSON.parse(step.value))
        if (error !== undefined) throw server.failureWithin(step.value, hasSchema)
        controller.enqueue(encoder.encode(`${step.value}\n`))
      },
    },
    { highWaterMark: 0 },
  )
}

/** False for an empty line. @throws SyntaxError if the line is not JSON */
function isJson(line: string): boolean {
  if (line.trim() === '') return false
  JSON.parse(line)
  return true
}
