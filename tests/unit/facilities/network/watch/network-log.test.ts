import test from 'brittle'
import { createLog, type LogLevel } from '../../../../../facilities/log/log.js'
import { NetworkLog } from '../../../../../facilities/network/watch/network-log.js'
import { NetworkObservers } from '../../../../../facilities/network/watch/network-observer.js'
import type { EndedRequest } from '../../../../../facilities/network/watch/request-observer.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { requestContext } from '../../../../helpers/network/call-service.js'

const { peer, requestId, traceparent } = requestContext('gateway')

const REQUEST: EndedRequest = {
  kind: 'unary',
  method: 'gateway.login',
  isPoll: false,
  code: 'OK',
  durationMs: 12.3456,
  requestId,
  peer: 'client@here',
  chunks: 0,
  firstChunkMs: undefined,
}

/** What a log of that level writes of what a network tells. */
function heard(level: LogLevel) {
  const lines: Record<string, unknown>[] = []
  const output = {
    write: (line: string) => {
      const { time: _time, pid: _pid, name: _name, ...said } = JSON.parse(line)
      lines.push(said)
    },
  }
  const clock = new VirtualClock()
  const log = createLog({ name: 'gateway', level, json: true, output })
  return { network: new NetworkLog(log, clock), lines, clock }
}

test('should write one line with its id when a request has ended', (t) => {
  const { network, lines } = heard('info')
  network.onRequestEnded(REQUEST)
  network.onRequestEnded({
    ...REQUEST,
    kind: 'stream',
    method: 'gateway.infer',
    code: 'CANCELLED',
    chunks: 7,
    firstChunkMs: 3.149,
  })
  const common = { level: 30, requestId, durationMs: 12.3, peer: 'client@here', msg: 'answered' }
  t.alike(lines, [
    { ...common, method: 'gateway.login', code: 'OK' },
    { ...common, method: 'gateway.infer', code: 'CANCELLED', chunks: 7, firstChunkMs: 3.1 },
  ])
})

test('should write why a request failed when its caller was told less', (t) => {
  const { network, lines } = heard('info')
  network.onRequestEnded({ ...REQUEST, code: 'ENGINE_UNREACHABLE', reason: 'http://10.0.0.7' })
  t.alike([lines[0]?.code, lines[0]?.reason], ['ENGINE_UNREACHABLE', 'http://10.0.0.7'])
})

test('should write what is asked every moment for debugging alone', (t) => {
  const quiet = heard('info')
  quiet.network.onRequestEnded({ ...REQUEST, isPoll: true })
  t.alike(quiet.lines, [])
  const debugging = heard('debug')
  debugging.network.onRequestEnded({ ...REQUEST, isPoll: true })
  t.is(debugging.lines[0]?.level, 20)
})

test('should write the id and the failure when a handler fails', (t) => {
  const { network, lines } = heard('info')
  network.onInternalError(new TypeError('a bug'), { requestId, traceparent })
  t.alike([lines[0]?.level, lines[0]?.requestId], [50, requestId])
  t.is(Object(lines[0]?.err).message, 'a bug')
})

test('should write who comes, who goes and who is refused', (t) => {
  const { network, lines } = heard('debug')
  const error = new StarlingError('CERTIFICATE_INVALID', 'another mesh')
  const publicKey = new Uint8Array(32).fill(0xab)
  network.onPeerConnected('auth', peer)
  network.onPeerLost('auth', peer)
  network.onDialFailed('processor', error, publicKey)
  network.onRefused(error, publicKey)
  network.onRefused(error, null)
  network.onChannelRefused({ peer, protocol: 'x'.repeat(100), reason: 'not offered' })
  network.onBootstrapTaken(1234)
  network.onDrainTimeout(10_000)
  t.alike(
    lines.map(({ level, msg, err: _err, ...fields }) => [level, msg, fields]),
    [
      [30, 'connected', { role: 'auth', peer: peer.certificate.name }],
      [30, 'lost', { role: 'auth', peer: peer.certificate.name }],
      [20, 'could not connect', { role: 'processor', peer: 'abababababab' }],
      [40, 'refused', { from: 'abababababab' }],
      [40, 'refused', {}],
      [
        30,
        'channel refused',
        { peer: peer.certificate.name, protocol: 'x'.repeat(64), reason: 'not offered' },
      ],
      [30, 'holding the bootstrap port', { port: 1234 }],
      [40, 'left before all work was done', { drainTimeoutMs: 10_000 }],
    ],
  )
  t.is(Object(lines[3]?.err).code, 'CERTIFICATE_INVALID')
})

const MINUTE_MS = 60_000

test('should write a few refusals a minute and the number of the others when strangers flood', async (t) => {
  const { network, lines, clock } = heard('info')
  const malformed = new StarlingError('INVALID_REQUEST', 'no hello')
  const foreign = new StarlingError('CERTIFICATE_INVALID', 'another mesh')
  for (let second = 0; second < 120; second += 1) {
    for (let count = 0; count < 10; count += 1) network.onRefused(malformed, new Uint8Array(32))
    network.onRefused(foreign, null)
    await clock.advance(1_000)
  }
  const single = lines.filter(({ err }) => err !== undefined)
  const sums = lines.filter(({ msg }) => msg === 'refused more, not listed')
  t.alike([single.length, sums.length, lines.length], [10, 2, 12], 'in two minutes')
  t.alike(sums[0], {
    level: 40,
    count: 655,
    codes: { INVALID_REQUEST: 595, CERTIFICATE_INVALID: 60 },
    msg: 'refused more, not listed',
  })
  await clock.advance(10 * MINUTE_MS)
  network.onRefused(foreign, null)
  t.is(lines.length, 13, 'whoever comes later is named again')
})

test('should say how many refusals it left out when the worker leaves', async (t) => {
  const { network, lines, clock } = heard('info')
  for (let count = 0; count < 100; count += 1) network.onRefused(new Error('a bug'), null)
  network.close()
  t.alike(lines.at(-1)?.codes, { INTERNAL: 95 })
  t.is(clock.pending, 0)
  network.close()
  t.is(lines.length, 6)
  const quiet = heard('info')
  quiet.network.onRefused(new Error('a bug'), null)
  await quiet.clock.advance(MINUTE_MS)
  quiet.network.close()
  t.is(quiet.lines.length, 1, 'nothing is said of none')
})

test('should write a few refused calls of a peer a minute and the number of the others when it floods', async (t) => {
  const { network, lines, clock } = heard('info')
  const refusal = { ...REQUEST, code: 'RATE_LIMITED' as const }
  for (let second = 0; second < 120; second += 1) {
    for (let count = 0; count < 10; count += 1) network.onRequestEnded(refusal)
    network.onRequestEnded({ ...refusal, code: 'OVERLOADED', kind: 'stream' })
    network.onRequestEnded(REQUEST)
    if (second === 0) network.onRequestEnded({ ...refusal, peer: 'other@here' })
    await clock.advance(1_000)
  }
  const written = (code: string, peer: string) =>
    lines.filter((line) => line.msg === 'answered' && line.code === code && line.peer === peer)
  t.is(written('RATE_LIMITED', 'client@here').length, 10, 'in two minutes')
  t.is(written('RATE_LIMITED', 'other@here').length, 1, 'another peer')
  t.is(written('OK', 'client@here').length, 120, 'calls that are answered')
  t.alike(
    lines.filter(({ msg }) => msg !== 'answered'),
    Array(2).fill({
      level: 30,
      peer: 'client@here',
      count: 655,
      codes: { RATE_LIMITED: 595, OVERLOADED: 60 },
      msg: 'refused more, not listed',
    }),
  )
})

test('should write a few refused channels of a peer a minute and the number of the others when it floods', async (t) => {
  const { network, lines, clock } = heard('info')
  const channel = { peer, protocol: 'test/unknown', reason: 'not offered' } as const
  for (let count = 0; count < 100; count += 1) network.onChannelRefused(channel)
  network.onChannelRefused({ ...channel, reason: 'not allowed' })
  network.onRequestEnded({ ...REQUEST, code: 'RATE_LIMITED', peer: peer.certificate.name })
  t.is(lines.length, 6, 'a refused request is listed all the same')
  await clock.advance(MINUTE_MS)
  t.alike(lines.slice(6), [
    {
      level: 30,
      peer: peer.certificate.name,
      count: 96,
      codes: { 'not offered': 95, 'not allowed': 1 },
      msg: 'refused more, not listed',
    },
  ])
  network.close()
  t.is(clock.pending, 0)
})

test('should write a bounded number of lines when calls of very many peers are refused', async (t) => {
  const { network, lines, clock } = heard('info')
  for (let index = 0; index < 3_000; index += 1) {
    const refusal = { ...REQUEST, code: 'OVERLOADED' as const, peer: `client-${index % 300}@here` }
    network.onRequestEnded(refusal)
  }
  t.is(lines.length, 256 * 5 + 5)
  network.close()
  t.is(clock.pending, 0)
  const sums = lines.slice(256 * 5 + 5)
  t.is(sums.length, 257)
  t.alike(sums.at(-1), {
    level: 30,
    peer: 'others',
    count: 44 * 10 - 5,
    codes: { OVERLOADED: 44 * 10 - 5 },
    msg: 'refused more, not listed',
  })
})

test('should pass every event to every observer', (t) => {
  const observers = new NetworkObservers()
  const heardOf: unknown[][] = [[], []]
  const error = new Error('no')
  for (const events of heardOf) {
    observers.add({
      onRequestBegun: (...args) => events.push(args),
      onRequestEnded: (...args) => events.push(args),
      onPeerConnected: (...args) => events.push(args),
      onPeerLost: (...args) => events.push(args),
      onDialFailed: (...args) => events.push(args),
      onRefused: (...args) => events.push(args),
      onInternalError: (...args) => events.push(args),
      onBootstrapTaken: (...args) => events.push(args),
      onDrainTimeout: (...args) => events.push(args),
    })
  }
  observers.add({})
  const key = new Uint8Array(32)
  const told: unknown[][] = []
  const tell = <Args extends unknown[]>(event: (...args: Args) => void, ...args: Args) => {
    event.apply(observers, args)
    told.push(args)
  }
  tell(observers.onRequestBegun, 'unary')
  tell(observers.onRequestEnded, REQUEST)
  tell(observers.onPeerConnected, 'auth', peer)
  tell(observers.onPeerLost, 'auth', peer)
  tell(observers.onDialFailed, 'auth', error, key)
  tell(observers.onRefused, error, key)
  tell(observers.onInternalError, error, { requestId, traceparent })
  tell(observers.onBootstrapTaken, 1)
  tell(observers.onDrainTimeout, 2)
  for (const events of heardOf) t.alike(events, told)
})
