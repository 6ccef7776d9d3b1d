import { once } from 'node:events'
import { createServer } from 'node:net'
import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { toPeerError } from '../../../../helpers/errors/peer-error.js'
import type { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { answer, generate } from '../../../helpers/engine/tiny-llama.js'
import { freeTcpPort } from '../../../helpers/network/tcp-port.js'
import { until } from '../../../helpers/until.js'
import {
  beginAnswer,
  failureOf,
  REMOTE_KINDS,
  type RemoteKind,
  remoteScene,
} from '../../../helpers/upstream/remote-engines.js'
import type { Misbehaviour } from '../../../helpers/upstream/stand-in-server.js'

/** How a server may fail when it should answer, and what its caller must be told. */
interface Failure {
  readonly what: string
  readonly misbehave: (kind: RemoteKind) => Misbehaviour
  readonly code: string
  readonly retryable: boolean
  readonly message?: RegExp
  readonly retryAfterMs?: number
}

function status(code: number, body?: (kind: RemoteKind) => string, headers = {}) {
  return (kind: RemoteKind): Misbehaviour =>
    (_, response) => {
      const text = body?.(kind) ?? kind.error('in /root/.models/secret.gguf')
      response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(text)
    }
}

const FAILURES: readonly Failure[] = [
  {
    what: 'fails',
    misbehave: status(500),
    code: 'ENGINE_CRASHED',
    retryable: false,
    message: /500/,
  },
  {
    what: 'does not have the model',
    misbehave: status(404, (kind) => kind.error("model 'words' not found")),
    code: 'MODEL_NOT_FOUND',
    retryable: false,
  },
  {
    what: 'is another kind of server',
    misbehave: status(404, () => '<html>not found</html>'),
    code: 'ENGINE_UNREACHABLE',
    retryable: true,
  },
  {
    what: 'refuses the request',
    misbehave: status(400, (kind) =>
      kind.error('temperature is wrong, said http://127.0.0.1:1/v1 and 127.0.0.1:2'),
    ),
    code: 'INVALID_REQUEST',
    retryable: false,
    message: /temperature is wrong/,
  },
  {
    what: 'finds the prompt too long',
    misbehave: status(400, (kind) => kind.error('the input exceeds the context length')),
    code: 'CONTEXT_TOO_LONG',
    retryable: false,
  },
  { what: 'refuses the key', misbehave: status(401), code: 'CONFIG_INVALID', retryable: false },
  {
    what: 'is asked too often',
    misbehave: status(429, undefined, { 'retry-after': '7' }),
    code: 'OVERLOADED',
    retryable: true,
    retryAfterMs: 7000,
  },
  {
    what: 'is busy',
    misbehave: status(503),
    code: 'OVERLOADED',
    retryable: true,
  },
  {
    what: 'answers with a page',
    misbehave: () => (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    },
    code: 'ENGINE_UNREACHABLE',
    retryable: true,
    message: /text\/html/,
  },
  {
    what: 'closes the connection before it answers',
    misbehave: () => (_, response) => response.destroy(),
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
  {
    what: 'sends a part that is too long',
    misbehave: (kind) => (_, response) => {
      beginAnswer(kind, response, kind.part('begun'))
      response.write(`data: "${'x'.repeat(2 * 1024 * 1024)}`)
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
    message: /characters/,
  },
  {
    what: 'dies within its answer',
    misbehave: (kind) => (_, response) => {
      beginAnswer(kind, response, kind.part('begun'))
      response.write(kind.part('more'), () => response.destroy())
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
  {
    what: 'sends what is no JSON',
    misbehave: (kind) => (_, response) => {
      const isEvent = kind.contentType.includes('event')
      const line = isEvent ? 'data: secret\n\n' : 'secret\n'
      beginAnswer(kind, response, kind.part('begun'), line, kind.end)
      response.end()
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
  {
    what: 'sends JSON that means nothing',
    misbehave: (kind) => (_, response) => {
      beginAnswer(kind, response, kind.part('begun'), kind.part('x').replaceAll('content', 'role'))
      response.end(kind.part('x').replace('"x"', '{"secret": "words"}'))
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
  {
    what: 'ends its answer without saying so',
    misbehave: (kind) => (_, response) => {
      beginAnswer(kind, response, kind.part('begun'))
      response.end()
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
  {
    what: 'fails within its answer',
    misbehave: (kind) => (_, response) => {
      const error = kind.error('in /root/.models/secret.gguf')
      const isEvent = kind.contentType.includes('event')
      beginAnswer(kind, response, kind.part('begun'), isEvent ? `data: ${error}\n\n` : `${error}\n`)
      response.end()
    },
    code: 'ENGINE_CRASHED',
    retryable: false,
  },
]

/** Where the server is stays with the processor. */
function tellsNoAddress(t: Test, error: StarlingError): void {
  t.absent(/127\.0\.0\.1|http:|https:|\/root/.test(toPeerError(error).message), error.message)
}

for (const kind of REMOTE_KINDS) {
  test(`should report the failure when the server misbehaves (${kind.name})`, async (t) => {
    const { server, engine } = await remoteScene(t, kind)
    const printed = [sinon.stub(console, 'log'), sinon.stub(console, 'warn')]
    t.teardown(() => sinon.restore(), { order: -1 })
    for (const failure of FAILURES) {
      server.misbehaviour = failure.misbehave(kind)
      const error = await failureOf(answer(engine, 'one two three'))
      t.is(error.code, failure.code, `${failure.what}: ${error.message}`)
      t.is(error.retryable, failure.retryable)
      t.is(error.retryAfterMs, failure.retryAfterMs)
      t.absent(/secret|\/root/.test(error.message), error.message)
      tellsNoAddress(t, error)
      if (failure.message !== undefined) t.ok(failure.message.test(error.message), error.message)
      server.misbehaviour = null
      t.is((await answer(engine, 'one two three')).text, 'one two three', 'and goes on')
    }
    t.ok(
      printed.every((stub) => stub.notCalled),
      'nothing is printed',
    )
  })

  test(`should not follow a redirect (${kind.name})`, async (t) => {
    const { server, engine } = await remoteScene(t, kind)
    const elsewhere = await kind.start(t, {})
    server.misbehaviour = (request, response) => {
      response.writeHead(307, { location: `${elsewhere.url}${request.path}` }).end()
    }
    t.is((await failureOf(answer(engine, 'x'))).code, 'ENGINE_UNREACHABLE')
    await engine.unload()
    t.is((await failureOf(engine.load())).code, 'ENGINE_UNREACHABLE')
    t.is(elsewhere.requests.length, 0)
  })

  test(`should fail with ENGINE_UNREACHABLE when no server is there (${kind.name})`, async (t) => {
    const port = await freeTcpPort()
    const engine = kind.create(`http://ada:hunter2@127.0.0.1:${port}`, 'words', new SystemClock())
    t.teardown(async () => await engine.dispose())
    const error = await failureOf(engine.load())
    t.is(error.code, 'ENGINE_UNREACHABLE')
    t.ok(error.message.includes(`127.0.0.1:${port}`), error.message)
    t.absent(/ada|hunter2/.test(`${error.message} ${error.cause}`))
    tellsNoAddress(t, error)

    const running = await remoteScene(t, kind)
    await running.server.close()
    t.is((await failureOf(answer(running.engine, 'x'))).code, 'ENGINE_UNREACHABLE')
  })

  test(`should name the available models when the requested one is missing (${kind.name})`, async (t) => {
    const server = await kind.start(t, {
      first: new ScriptedEngine(),
      second: new ScriptedEngine(),
    })
    const engine = kind.create(server.url, 'third', new SystemClock())
    t.teardown(async () => await engine.dispose())
    const error = await failureOf(engine.load())
    t.is(error.code, 'MODEL_NOT_FOUND')
    t.ok(error.message.includes('first, second'), error.message)
    tellsNoAddress(t, error)
  })

  test(`should fail with ENGINE_UNREACHABLE when the server does not speak HTTP (${kind.name})`, async (t) => {
    const server = createServer((socket) => socket.end('220 mail.example.com ready\r\n'))
    t.teardown(() => server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = Object(server.address())
    const engine = kind.create(`http://127.0.0.1:${port}`, 'words', new SystemClock())
    t.teardown(async () => await engine.dispose())
    t.is((await failureOf(engine.load())).code, 'ENGINE_UNREACHABLE')
  })

  test(`should give up when a server never completes its response (${kind.name})`, async (t) => {
    const clock = new VirtualClock()
    const { server, engine } = await remoteScene(t, kind, { clock })
    server.misbehaviour = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"mod')
    }
    await engine.unload()
    const load = failureOf(engine.load())
    await until('it to be asked', () => server.requests.at(-1)?.path !== kind.answerPath)
    t.is((await clock.advanceUntil(load)).code, 'ENGINE_UNREACHABLE')

    server.misbehaviour = null
    await engine.load()
    server.misbehaviour = (_, response) => beginAnswer(kind, response, kind.part('begun'), 'd')
    const generation = generate(engine, 'x')
    const first = await generation.next()
    t.is(first.done, false)
    const rest = failureOf(generation.next())
    await until('it to wait', () => clock.pending > 0)
    const error = await clock.advanceUntil(rest)
    t.is(error.code, 'ENGINE_CRASHED')
    t.ok(error.message.includes('120000 ms'), error.message)
    t.is(clock.pending, 0)
  })

  test(`should close the connection when a server sends an oversized description of itself (${kind.name})`, async (t) => {
    const { server, engine } = await remoteScene(t, kind)
    await engine.unload()
    let isClosed = false
    server.misbehaviour = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.once('close', () => {
        isClosed = true
      })
      const spaces = ' '.repeat(1024 * 1024)
      const more = () => {
        while (response.write(spaces));
      }
      response.on('drain', more)
      more()
    }
    const error = await failureOf(engine.load())
    t.is(error.code, 'ENGINE_CRASHED')
    t.ok(error.message.includes('bytes'), error.message)
    await until('the connection to close', () => isClosed)
  })

  test(`should close a connection that is not completed when the request is cancelled (${kind.name})`, async (t) => {
    const clock = new VirtualClock()
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = Object(server.address())
    // Its TLS handshake is never answered.
    const engine = kind.create(`https://127.0.0.1:${port}`, 'words', clock)
    t.teardown(async () => await engine.dispose())
    const giveUp = [
      { action: () => clock.advance(5000), code: 'ENGINE_UNREACHABLE', message: '5000 ms' },
      { action: () => engine.unload(), code: 'DRAINING', message: 'unloaded' },
    ]
    for (const { action, code, message } of giveUp) {
      const accepted = once(server, 'connection')
      const load = failureOf(engine.load())
      const [socket] = await accepted
      socket.on('error', () => undefined)
      const closed = once(socket.resume(), 'close')
      await action()
      const error = await load
      t.is(error.code, code)
      t.ok(error.message.includes(message), error.message)
      await closed
      t.is(clock.pending, 0)
    }
  })
}
