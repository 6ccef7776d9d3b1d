import type { ServerResponse } from 'node:http'
import type { Test } from 'brittle'
import type { Clock } from '../../../facilities/clock/clock.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { Engine } from '../../../facilities/engine/engine.js'
import { OllamaEngine } from '../../../facilities/engine/remote/ollama-engine.js'
import { OpenaiEngine } from '../../../facilities/engine/remote/openai-engine.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { isStarlingError, type StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Scope } from '../scope.js'
import { rejectionOf } from '../until.js'
import { startOllamaServer } from './ollama-server.js'
import { startOpenaiServer } from './openai-server.js'
import type { StandInServer } from './stand-in-server.js'

/** An engine over HTTP and its server. */
export interface RemoteKind {
  readonly name: string
  /** Serves the engines under their names. */
  readonly start: (
    scope: Scope,
    engines: Readonly<Record<string, Engine>>,
  ) => Promise<StandInServer>
  /** An engine for one model of a server. */
  readonly create: (url: string, model: string, clock: Clock) => Engine
  /** The path of chat requests. */
  readonly answerPath: string
  readonly contentType: string
  /** One part of an answer. */
  readonly part: (text: string) => string
  /** The end of an answer. */
  readonly end: string
  /** The body of an error from the server. */
  readonly error: (message: string) => string
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

export const OLLAMA: RemoteKind = {
  name: 'ollama',
  start: startOllamaServer,
  create: (host, model, clock) => new OllamaEngine({ host, model, clock }),
  answerPath: '/api/chat',
  contentType: 'application/x-ndjson',
  part: (content) => `${JSON.stringify({ message: { content }, done: false })}\n`,
  end: `${JSON.stringify({ message: { content: '' }, done: true, done_reason: 'stop' })}\n`,
  error: (error) => JSON.stringify({ error }),
}

export const OPENAI: RemoteKind = {
  name: 'openai',
  start: (scope, engines) => startOpenaiServer(scope, engines),
  create: (baseUrl, model, clock) => new OpenaiEngine({ baseUrl, model, clock }),
  answerPath: '/v1/chat/completions',
  contentType: 'text/event-stream',
  part: (content) => event({ choices: [{ delta: { content } }] }),
  end: `${event({ choices: [{ delta: {}, finish_reason: 'stop' }] })}data: [DONE]\n\n`,
  error: (message) => JSON.stringify({ error: { message } }),
}

export const REMOTE_KINDS: readonly RemoteKind[] = [OLLAMA, OPENAI]

/** A function call by a model. */
export const WEATHER_CALL = {
  id: 'call_1',
  type: 'function' as const,
  function: { name: 'weather', arguments: '{"city":"Paris","days":2}' },
}

/** Options that every remote engine supports together. */
export const ALL_OPTIONS = {
  ...{ maxTokens: 9, temperature: 0.5, topP: 0.9, topK: 40, minP: 0.05, repeatPenalty: 1.2 },
  ...{ presencePenalty: 0.1, frequencyPenalty: -0.1, seed: 77, stop: ['END'] },
  jsonSchema: { type: 'object' },
  tools: [
    { type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } },
  ],
}

/** A server that sends what the test sets, and a loaded engine that uses it. */
export async function remoteScene(
  t: Test,
  kind: RemoteKind,
  {
    below = new ScriptedEngine(),
    clock = new SystemClock(),
  }: { below?: Engine; clock?: Clock } = {},
): Promise<{ readonly server: StandInServer; readonly engine: Engine }> {
  const server = await kind.start(t, { words: below })
  const engine = kind.create(server.url, 'words', clock)
  t.teardown(async () => await engine.dispose())
  await engine.load()
  return { server, engine }
}

/** The typed error that a promise is rejected with; throws any other reason. */
export async function failureOf(promise: Promise<unknown>): Promise<StarlingError> {
  const error = await rejectionOf(promise)
  if (!isStarlingError(error)) throw error
  return error
}

/** Begins an answer as the server should, with these parts. */
export function beginAnswer(kind: RemoteKind, response: ServerResponse, ...parts: string[]): void {
  response.writeHead(200, { 'content-type': kind.contentType })
  for (const part of parts) response.write(part)
}

/** From now on that server gives a complete answer of these parts. */
export function alwaysAnswer(kind: RemoteKind, server: StandInServer, ...parts: string[]): void {
  server.misbehaviour = (_, response) => {
    beginAnswer(kind, response, ...parts)
    response.end()
  }
}
